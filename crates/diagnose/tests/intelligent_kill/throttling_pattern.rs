//! Throttling patterns: words of the statement in order, without literals.

use clew_diagnose::{IntelligentKillPlan, ProtectedAccounts};
use clew_model::{Session, SlowSessionThreshold};
use proptest::prelude::*;

fn throttling_pattern(statement: &[u8]) -> Option<String> {
    let session =
        Session { command: b"Query".to_vec(), seconds: 99, statement: Some(statement.to_vec()), ..Session::default() };
    let plan = IntelligentKillPlan::from_sessions(
        vec![session],
        SlowSessionThreshold::default(),
        &ProtectedAccounts::default(),
    );
    plan.ranked_session_groups().next().and_then(|(_, group)| group.throttling_pattern())
}

#[test]
fn pattern_has_the_words_and_names_of_the_template() {
    for (statement, expected) in [
        ("select count(*) from t1 where a = 5 and b in (1, 2)", Some("SELECT~COUNT~FROM~t1~WHERE~a~AND~b~IN")),
        ("SELECT SLEEP(1000), 'secret'", Some("SELECT~SLEEP")),
        (
            "update `my table` set `a~b`=1, `c，d`='x' where @v is null",
            Some("UPDATE~my table~SET~a~b~c~d~WHERE~IS~NULL"),
        ),
        ("/* why */ insert /*+ hint */ into db.t values (1, 'a,b~c')", Some("INSERT~INTO~db~t~VALUES")),
        ("select `会话` from täble", Some("SELECT~会话~FROM~täble")),
        ("'nothing but text'", None),
        ("/* nothing */", None),
        ("", None),
    ] {
        assert_eq!(throttling_pattern(statement.as_bytes()).as_deref(), expected, "{statement}");
    }
}

#[test]
fn pattern_respects_the_limits() {
    let many: Vec<String> = (0..400).map(|at| format!("c{at}")).collect();
    let pattern = throttling_pattern(format!("select {} from t", many.join(", ")).as_bytes()).unwrap();
    assert_eq!(pattern.split('~').count(), 128);
    let long: Vec<String> = (0..40).map(|at| format!("c{at:060}")).collect();
    let pattern = throttling_pattern(format!("select {} from t", long.join(", ")).as_bytes()).unwrap();
    assert!((900..=1000).contains(&pattern.len()), "{}", pattern.len());
}

/// Text that occurs only in literals and comments.
const SECRET: &str = "qjxzk";

fn statement() -> impl Strategy<Value = String> {
    let pieces = [
        "select",
        "from",
        "where",
        "t1",
        "`a b`",
        "`x~y`",
        "`a,b`",
        "`c，d`",
        "`q\\w`",
        "@v",
        "@@global.x",
        "=",
        "(",
        ")",
        ", ",
        "~",
        ".",
        ";",
        "?",
        "...",
        "null",
        "is",
        "count",
        "values",
        "(1, 'qjxzk')",
        "'qjxzk'",
        "\"qjxzk\"",
        "'it''s qjxzk'",
        "0x71",
        "5",
        "-1.5e3",
        "/* qjxzk */",
        "-- qjxzk\n",
        "# qjxzk\n",
        "/*! straight_join 'qjxzk' */",
        "会话",
        "täble",
        "identified by 'qjxzk'",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..60).prop_map(|all| all.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn pattern_matches_its_statement_and_has_no_literals(statement in statement()) {
        let Some(pattern) = throttling_pattern(statement.as_bytes()) else { return Ok(()) };
        let keywords: Vec<&str> = pattern.split('~').collect();
        prop_assert!((1..=128).contains(&keywords.len()));
        prop_assert!(keywords.iter().all(|word| !word.is_empty() && word.trim() == *word), "{}", pattern);
        prop_assert!(!pattern.contains(['\\', ',', '，']) && pattern.len() <= 1000, "{}", pattern);
        prop_assert!(!pattern.contains(SECRET), "{} of {}", pattern, statement);
        let lowercase = statement.to_ascii_lowercase();
        let mut rest = lowercase.as_str();
        for word in keywords {
            let word = word.to_ascii_lowercase();
            let at = rest.find(&word);
            prop_assert!(at.is_some(), "{} is not in the rest of {}: {}", word, statement, pattern);
            rest = &rest[at.unwrap_or_default() + word.len()..];
        }
    }
}
