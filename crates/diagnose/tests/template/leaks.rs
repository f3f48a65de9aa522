//! Templates contain no literals, in any SQL mode, with any quotes, and at any truncation.

use std::fmt::Write;

use clew_diagnose::build_statement_template;
use proptest::prelude::*;

/// Planted literals and comments. No other part of the statements contains four consecutive bytes of a secret.
const SECRETS: [&str; 6] = ["QJXZKWVB", "qj7x-zk9w", "会议室密码", "🧵🔑🧶", "J'XQ", "jqzx@wvk.zq"];
/// Planted numbers.
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

/// Settings of the SQL mode that affect quotes.
#[derive(Debug, Clone, Copy)]
struct SqlMode {
    backslash_escapes: bool,
    ansi_quotes: bool,
    /// True if the server executes the content of `/*! */`.
    executes_comments: bool,
}

fn sql_mode() -> impl Strategy<Value = SqlMode> {
    any::<(bool, bool, bool)>().prop_map(|(backslash_escapes, ansi_quotes, executes_comments)| SqlMode {
        backslash_escapes,
        ansi_quotes,
        executes_comments,
    })
}

/// Random string literal for an SQL mode, with secrets and confusing parts.
fn string_literal(mode: SqlMode) -> impl Strategy<Value = String> {
    let quote = if mode.ansi_quotes { Just("'").boxed() } else { prop_oneof![4 => Just("'"), 1 => Just("\"")].boxed() };
    let special_parts = [
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
    let piece = prop_oneof![proptest::sample::select(&SECRETS), proptest::sample::select(special_parts.to_vec())];
    (quote, proptest::collection::vec(piece, 1..5)).prop_map(move |(quote, pieces)| {
        let mut text = quote.to_owned();
        for piece in pieces {
            match piece {
                "\\'" | "\\\"" if !mode.backslash_escapes => text.push('\\'),
                "\\" if mode.backslash_escapes => text.push_str("\\\\"),
                "''" | "\"\"" => text.push_str(&quote.repeat(2)),
                "\\'" | "\\\"" | "\\" => text.push_str(piece),
                // The other kind of quote is literal; its own kind is doubled.
                _ => text.push_str(&piece.replace(quote, &quote.repeat(2))),
            }
        }
        text + quote
    })
}

/// Random code that is not a literal, with quotes that have no special meaning.
fn non_literal(mode: SqlMode) -> impl Strategy<Value = String> {
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
    let executable = if mode.executes_comments {
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

fn statement() -> impl Strategy<Value = (SqlMode, String)> {
    sql_mode().prop_flat_map(|mode| {
        let introducer =
            proptest::sample::select(vec!["", "", "", "N", "_utf8mb4", "_utf8mb4 ", "date ", "@", "identified by "]);
        let text = (introducer, string_literal(mode)).prop_map(|(introducer, text)| introducer.to_owned() + &text);
        let number = proptest::sample::select(NUMBERS.to_vec()).prop_map(ToOwned::to_owned);
        let piece = prop_oneof![3 => non_literal(mode), 3 => text, 1 => number];
        proptest::collection::vec(piece, 1..12).prop_map(move |pieces| (mode, pieces.join(" ")))
    })
}

/// Fails if four consecutive bytes of a planted literal occur in the template.
pub(crate) fn assert_no_leak(statement: &[u8]) {
    let template = build_statement_template(statement);
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

fn assert_no_leak_when_truncated(statement: &[u8]) {
    for end in 0..=statement.len() {
        assert_no_leak(&statement[..end]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn truncated_statements_leak_no_literal_in_any_sql_mode((_mode, statement) in statement()) {
        assert_no_leak_when_truncated(statement.as_bytes());
    }
}

#[test]
fn ambiguous_quotes_leak_no_literal() {
    for statement in [
        r"select * from t where a = 'it\'s', b = 'QJXZKWVB'",
        r"select * from t where path = 'C:\', secret = 'QJXZKWVB'",
        r"select 'C:\', x, 'QJXZKWVB', 'C:\', 'QJXZKWVB",
        r#"select "C:\", x, "QJXZKWVB""#,
        r#"select "a\", 'QJXZKWVB', 'b"', 'c'"#,
        r"select 'a\\\', x, 'QJXZKWVB'",
        // Two modes agree at the end of the line; in the third, one quote is escaped and the other is not.
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
        assert_no_leak_when_truncated(statement.as_bytes());
    }
}

#[test]
fn unpaired_quotes_leak_no_literal() {
    for statement in [
        "select * from t where name = 'O'Brien' and word = 'QJXZKWVB'",
        "select * from t where name = 'O'Brien' and word = \"QJXZKWVB\" and x = '",
        "insert into t values ('QJXZKWVB', 'it's', 'QJXZKWVB')",
        "select * from t where a = \"x and b = \"QJXZKWVB\"",
        "update t set a = 5'QJXZKWVB'",
        "create user u identified by QJXZKWVB",
        "select 'a' \\'QJXZKWVB\\'",
    ] {
        assert_no_leak_when_truncated(statement.as_bytes());
    }
}

/// The second byte of a GBK character can be a backslash.
/// A server that does not convert the character parses the next quote differently.
#[test]
fn invalid_utf8_leaks_no_literal() {
    for statement in [
        b"select '\xbf\\', 'QJXZKWVB'".as_slice(),
        b"select '\xbf\\\\', QJXZKWVB, 'x'",
        b"select 'a\\'b\\'c\xbf\\\\', QJXZKWVB, 'x'",
        b"select '\xe4\xbd\xa0\\', 'QJXZKWVB'",
        b"select \xbf`, 'QJXZKWVB'",
        b"select `\xbf`, 'QJXZKWVB'",
        b"select '\xff\xfeQJXZKWVB\xc3', 'QJXZKWVB\xf0\x9f'",
    ] {
        assert_no_leak_when_truncated(statement);
    }
}

#[test]
fn large_statement_leaks_no_literal() {
    let mut statement = String::from("insert into t(a, b) values ");
    while statement.len() < 8 << 20 {
        write!(statement, "('QJXZKWVB it''s', 5308417269),").unwrap();
    }
    assert_eq!(build_statement_template(statement.as_bytes()), b"INSERT INTO t(a, b) VALUES (...), ...,");
    assert_no_leak(statement.as_bytes());
}
