//! Properties that hold for every statement.

use clew_diagnose::build_statement_template;
use proptest::prelude::*;

/// Fragments with a meaning for the lexer, alone or in combination.
const FRAGMENTS: &[&str] = &[
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

/// Random sequences of fragments and bytes.
pub(crate) fn malformed_statement() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => proptest::sample::select(FRAGMENTS).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn template_is_idempotent_and_bounded_in_length(statement in malformed_statement()) {
        let once = build_statement_template(&statement);
        prop_assert!(once.len() <= 3 * statement.len() + 8, "{} of {}", escape(&once), escape(&statement));
        prop_assert_eq!(escape(&build_statement_template(&once)), escape(&once));
    }

    #[test]
    fn template_of_random_bytes_is_printable_utf8(statement in proptest::collection::vec(any::<u8>(), 0..200)) {
        let once = build_statement_template(&statement);
        prop_assert!(std::str::from_utf8(&once).is_ok_and(|text| !text.chars().any(char::is_control)), "{}", escape(&once));
        prop_assert_eq!(escape(&build_statement_template(&once)), escape(&once));
    }

    #[test]
    fn spaces_and_comments_do_not_change_the_template(gaps in proptest::collection::vec(0..7_usize, 12)) {
        let words = ["select", "a", ",", "b", "from", "t", "where", "c", "=", "'x'", "limit", "5", ";"];
        let gap = |at: usize| [" ", "  ", "\n", "\t\r\n", " /* it's */ ", " -- it's\n", " # \"\n"][at];
        let mut statement = words[0].to_owned();
        for (word, at) in words[1..].iter().zip(gaps) {
            statement.push_str(gap(at));
            statement.push_str(word);
        }
        prop_assert_eq!(escape(&build_statement_template(statement.as_bytes())), "SELECT a, b FROM t WHERE c = ? LIMIT ?");
    }
}

/// The test would not terminate if the run time were quadratic.
#[test]
fn time_is_linear_in_the_statement_length() {
    const LENGTH: usize = 1 << 19;
    for piece in FRAGMENTS.iter().copied().chain([
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
        assert!(build_statement_template(&statement).len() <= 3 * statement.len(), "{piece:?}");
    }
}
