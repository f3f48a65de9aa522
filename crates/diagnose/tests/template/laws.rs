//! What holds for every statement.

use clew_diagnose::template;
use proptest::prelude::*;

/// Pieces that mean something to a lexer, alone or beside each other.
const PIECES: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "\\\"",
    "\\N",
    "/*",
    "/*!",
    "/*!40101 ",
    "/*M!",
    "/*+",
    "*/",
    "-- ",
    "--",
    "-",
    "+",
    "#",
    "\n",
    " ",
    "\t",
    "\0",
    "(",
    ")",
    ",",
    ";",
    ".",
    "..",
    "...",
    "?",
    "@",
    "@@",
    ":",
    ":=",
    ":a",
    "$",
    "$$",
    "$a$",
    "[",
    "]",
    "{",
    "}",
    "<",
    "=",
    ">",
    "<=>",
    "!",
    "|",
    "||",
    "&",
    "*",
    "/",
    "%",
    "0x",
    "0xAF",
    "x'41'",
    "b'01'",
    "N'a'",
    "_utf8'a'",
    "1",
    "1t",
    "1e",
    "1e5",
    "1.",
    ".5",
    "5",
    "a",
    "t1",
    "ä",
    "会",
    "‘",
    "🧵",
    "SELECT",
    "values",
    "VALUE",
    "null",
    "TRUE",
    "not",
    "is",
    "set",
    "in",
    "identified",
    "by",
    "password",
    "random",
    "default",
    "row",
    "date",
    "(1)",
    "(1,2)",
    "(a,1)",
    "(?)",
    "(...)",
    ", ",
    "(now(), 1)",
];

/// Statements, or what is left of them.
pub(crate) fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_template_is_its_own_template_and_not_much_longer_than_its_statement(statement in rubbish()) {
        let once = template(&statement);
        prop_assert!(once.len() <= 3 * statement.len() + 8, "{} of {}", shown(&once), shown(&statement));
        prop_assert_eq!(shown(&template(&once)), shown(&once));
    }

    #[test]
    fn any_bytes_have_a_template_of_readable_text(statement in proptest::collection::vec(any::<u8>(), 0..200)) {
        let once = template(&statement);
        prop_assert!(std::str::from_utf8(&once).is_ok_and(|text| !text.chars().any(char::is_control)), "{}", shown(&once));
        prop_assert_eq!(shown(&template(&once)), shown(&once));
    }

    #[test]
    fn spaces_and_comments_do_not_matter(gaps in proptest::collection::vec(0..7_usize, 12)) {
        let words = ["select", "a", ",", "b", "from", "t", "where", "c", "=", "'x'", "limit", "5", ";"];
        let gap = |at: usize| [" ", "  ", "\n", "\t\r\n", " /* it's */ ", " -- it's\n", " # \"\n"][at];
        let mut statement = words[0].to_owned();
        for (word, at) in words[1..].iter().zip(gaps) {
            statement.push_str(gap(at));
            statement.push_str(word);
        }
        prop_assert_eq!(shown(&template(statement.as_bytes())), "SELECT a, b FROM t WHERE c = ? LIMIT ?");
    }
}

/// Should anything be looked at again and again, this would not end.
#[test]
fn what_is_long_takes_no_longer_than_its_length() {
    const LENGTH: usize = 1 << 19;
    for piece in PIECES.iter().copied().chain([
        "'\\'",
        "'it\\'s', ",
        "'a' ",
        "((",
        "),(",
        "(1),",
        "1,",
        "(1,(2),",
        "@a",
        "@'a'",
        "a.",
        "1.1.",
        "- ",
        "a'",
        "'\\'\"\\\"",
        "`a``",
        "/*!1 '*/",
        "/*+ a */",
        "--\n",
        "#\n",
        "VALUES (now()),(now()),",
        "((a),(1)),",
        "$a ",
        "0x_",
        "1e+",
        "_a'b' ",
        "ä",
        "'ä\\'",
    ]) {
        let mut statement = b"select ".to_vec();
        while statement.len() < LENGTH {
            statement.extend_from_slice(piece.as_bytes());
        }
        assert!(template(&statement).len() <= 3 * statement.len(), "{piece:?}");
    }
}
