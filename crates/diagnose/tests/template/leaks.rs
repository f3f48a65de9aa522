//! No literal survives: in any mode, however it is quoted, wherever the statement is cut.

use std::fmt::Write;

use clew_diagnose::template;
use proptest::prelude::*;

/// What is planted in literals and comments. No four bytes of it stand anywhere else in the statements below.
const SECRETS: [&str; 6] = ["QJXZKWVB", "qj7x-zk9w", "会议室密码", "🧵🔑🧶", "J'XQ", "jqzx@wvk.zq"];
/// The same for numbers.
const NUMBERS: [&str; 9] = [
    "5308417269",
    "-5308417269",
    "5308.417269",
    ".5308417269",
    "53084e17269",
    "0x5308417269",
    "x'5308417269'",
    "b'1100101'",
    "0b1100101",
];

/// A mode of a server, as far as quotes go.
#[derive(Debug, Clone, Copy)]
struct Mode {
    backslash_escapes: bool,
    ansi_quotes: bool,
    /// Whether it runs what `/*! */` holds.
    executes: bool,
}

fn mode() -> impl Strategy<Value = Mode> {
    any::<(bool, bool, bool)>().prop_map(|(backslash_escapes, ansi_quotes, executes)| Mode {
        backslash_escapes,
        ansi_quotes,
        executes,
    })
}

/// What a server in `mode` takes for one string, with secrets and whatever may confuse a reader in it.
fn string(mode: Mode) -> impl Strategy<Value = String> {
    let quote = if mode.ansi_quotes { Just("'").boxed() } else { prop_oneof![4 => Just("'"), 1 => Just("\"")].boxed() };
    let odd = [
        " ",
        ", ",
        "(",
        ")",
        "''",
        "\"\"",
        "``",
        "#",
        "-- ",
        "/*",
        "*/",
        "/*!",
        "/*+ ",
        "\n",
        "=",
        ";",
        "\\\\",
        "$$",
        "[",
        " and a = ",
        "\\%",
        "@",
        "?",
        "...",
        "é",
        "\\'",
        "\\\"",
        "\\",
        "x",
    ];
    let piece = prop_oneof![proptest::sample::select(&SECRETS), proptest::sample::select(odd.to_vec())];
    (quote, proptest::collection::vec(piece, 1..5)).prop_map(move |(quote, pieces)| {
        let mut text = quote.to_owned();
        for piece in pieces {
            match piece {
                "\\'" | "\\\"" if !mode.backslash_escapes => text.push('\\'),
                "\\" if mode.backslash_escapes => text.push_str("\\\\"),
                "''" | "\"\"" => text.push_str(&quote.repeat(2)),
                "\\'" | "\\\"" | "\\" => text.push_str(piece),
                // Another kind of quote may stand alone; its own is doubled.
                _ => text.push_str(&piece.replace(quote, &quote.repeat(2))),
            }
        }
        text + quote
    })
}

/// What is no literal, with quotes where a server takes them for nothing special.
fn harmless(mode: Mode) -> impl Strategy<Value = String> {
    let plain = [
        "select",
        "a",
        "=",
        ",",
        "(",
        ")",
        "from",
        "`t`",
        "`it's`",
        "`a\"b`",
        "`a\\`",
        "@v",
        "t1.c",
        "in",
        "values",
        "and",
        "or",
        "is not",
        "/* it's \" */",
        "/* \\' QJXZKWVB */",
        "-- it's QJXZKWVB\n",
        "# \" ' ` QJXZKWVB\n",
        "/*+ BKA(t) */",
        "/*+ QB(`it's`) */",
        "- 5",
        ";",
        "/**/",
        "/*/ ' */",
        "/* /* ' */",
    ];
    let quoted = if mode.ansi_quotes { vec!["\"it's\"", "\"a\\\"", "\"a\"\"b\"", "\"c\""] } else { vec!["b"] };
    let executable = if mode.executes {
        vec![
            "/*!40101 and 'QJXZKWVB' */",
            "/*! -- it's QJXZKWVB */\n and */",
            "/*M!100100 'QJX*/ZKWVB' */",
            "/*! /* ' */ and */",
        ]
    } else {
        vec!["/*!99999 it's */", "/*!99999 QJXZKWVB '*/", "/*M!999999 \" */", "/*!99999 # */", "/*! a /* ' */"]
    };
    prop_oneof![8 => proptest::sample::select(plain.to_vec()), 1 => proptest::sample::select(quoted), 1 => proptest::sample::select(executable)]
        .prop_map(ToOwned::to_owned)
}

fn statement() -> impl Strategy<Value = (Mode, String)> {
    mode().prop_flat_map(|mode| {
        let introducer =
            proptest::sample::select(vec!["", "", "", "N", "_utf8mb4", "_utf8mb4 ", "date ", "@", "identified by "]);
        let text = (introducer, string(mode)).prop_map(|(introducer, text)| introducer.to_owned() + &text);
        let number = proptest::sample::select(NUMBERS.to_vec()).prop_map(ToOwned::to_owned);
        let piece = prop_oneof![3 => harmless(mode), 3 => text, 1 => number];
        proptest::collection::vec(piece, 1..12).prop_map(move |pieces| (mode, pieces.join(" ")))
    })
}

/// Fails if four bytes in a row of a planted literal stand in the template.
pub(crate) fn assert_no_leak(statement: &[u8]) {
    let template = template(statement);
    let lower = template.to_ascii_lowercase();
    for secret in SECRETS.iter().chain(&NUMBERS) {
        for piece in secret.trim_start_matches(['-', '.', 'x', '\'']).trim_start_matches("0x").as_bytes().windows(4) {
            let piece = piece.to_ascii_lowercase();
            assert!(
                !lower.windows(4).any(|window| window == piece),
                "{:?} of {secret} in {} of {}",
                String::from_utf8_lossy(&piece),
                String::from_utf8_lossy(&template),
                String::from_utf8_lossy(statement)
            );
        }
    }
}

fn assert_no_leak_wherever_it_is_cut(statement: &[u8]) {
    for end in 0..=statement.len() {
        assert_no_leak(&statement[..end]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn no_literal_survives_in_any_mode_wherever_the_statement_is_cut((_mode, statement) in statement()) {
        assert_no_leak_wherever_it_is_cut(statement.as_bytes());
    }
}

#[test]
fn no_literal_survives_where_the_modes_disagree() {
    for statement in [
        r"select * from t where a = 'it\'s', b = 'QJXZKWVB'",
        r"select * from t where path = 'C:\', secret = 'QJXZKWVB'",
        r"select 'C:\', x, 'QJXZKWVB', 'C:\', 'QJXZKWVB",
        r#"select "C:\", x, "QJXZKWVB""#,
        r#"select "a\", 'QJXZKWVB', 'b"', 'c'"#,
        r"select 'a\\\', x, 'QJXZKWVB'",
        // Two modes meet at the line's end; in the third, one quote escapes and the other does not.
        "select \"a\\\" 'b\\' \" -- \" \n, QJXZKWVB '",
        r"select 'a\\', 'QJXZKWVB'",
        "/*!99999 it's */ select 'QJXZKWVB'",
        "/*!40101 select '*/ QJXZKWVB' */",
        "select 1 -- it's\n , 'QJXZKWVB'",
        "select 1 --it's QJXZKWVB",
        "select /*+ SET_VAR(a = '*/ QJXZKWVB') */ 1",
        "select [it's], 'QJXZKWVB'",
        "select 1 -- a\0 ' \n QJXZKWVB'",
        "create function f() returns int language javascript as $$ it's 'QJXZKWVB' $$",
        "create function f() returns int language javascript as $js$ QJXZKWVB $js$",
        "select ‘QJXZKWVB QJXZKWVB QJXZKWVB’",
    ] {
        assert_no_leak_wherever_it_is_cut(statement.as_bytes());
    }
}

#[test]
fn no_literal_survives_where_quotes_were_forgotten() {
    for statement in [
        "select * from t where name = 'O'Brien' and word = 'QJXZKWVB'",
        "select * from t where name = 'O'Brien' and word = \"QJXZKWVB\" and x = '",
        "insert into t values ('QJXZKWVB', 'it's', 'QJXZKWVB')",
        "select * from t where a = \"x and b = \"QJXZKWVB\"",
        "update t set a = 5'QJXZKWVB'",
        "create user u identified by QJXZKWVB",
        "select 'a' \\'QJXZKWVB\\'",
    ] {
        assert_no_leak_wherever_it_is_cut(statement.as_bytes());
    }
}

/// Half of a character of GBK is a backslash: a server that did not turn it into UTF-8 reads the quote behind it otherwise.
#[test]
fn no_literal_survives_where_text_is_not_utf8() {
    for statement in [
        b"select '\xbf\\', 'QJXZKWVB'".as_slice(),
        b"select '\xbf\\\\', QJXZKWVB, 'x'",
        b"select 'a\\'b\\'c\xbf\\\\', QJXZKWVB, 'x'",
        b"select '\xe4\xbd\xa0\\', 'QJXZKWVB'",
        b"select \xbf`, 'QJXZKWVB'",
        b"select `\xbf`, 'QJXZKWVB'",
        b"select '\xff\xfeQJXZKWVB\xc3', 'QJXZKWVB\xf0\x9f'",
    ] {
        assert_no_leak_wherever_it_is_cut(statement);
    }
}

#[test]
fn no_literal_survives_in_a_statement_of_many_megabytes() {
    let mut statement = String::from("insert into t(a, b) values ");
    while statement.len() < 8 << 20 {
        write!(statement, "('QJXZKWVB it''s', 5308417269),").unwrap();
    }
    assert_eq!(template(statement.as_bytes()), b"INSERT INTO t(a, b) VALUES (...), ...,");
    assert_no_leak(statement.as_bytes());
}
