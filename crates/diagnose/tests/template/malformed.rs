//! Statements with invalid bytes, and truncated statements.

use clew_diagnose::build_statement_template;

#[test]
fn template_ends_at_unreadable_bytes() {
    for (statement, expected) in [
        (b"".as_slice(), "".as_bytes()),
        (b" \n\t", b""),
        (b"select 1\0, 'x'", b"SELECT ? ..."),
        (b"select '\0', a", b"SELECT ?, a"),
        (b"select 1 -- a\0\n, b", b"SELECT ? ..."),
        (b"select '\xff\xfe', a", b"SELECT ?, a"),
        (b"select caf\xe9 from t", b"SELECT ..."),
        (b"select _\xff'x'", b"SELECT ..."),
        (b"select `caf\xe9` from t", b"SELECT ..."),
        (b"select a\x01 from t", b"SELECT a ..."),
        (b"select 1 --\xc2\xa0x", b"SELECT ? ..."),
        ("select \u{1f9f5}".as_bytes(), b"SELECT ..."),
        ("select '\u{1f9f5}', a".as_bytes(), b"SELECT ?, a"),
        ("select '会\\' a', b".as_bytes(), b"SELECT ..."),
        (b"select '\xbf\\'', a", b"SELECT ..."),
        (b"select '\xf0\x9f", b"SELECT ?"),
    ] {
        assert_eq!(
            build_statement_template(statement).escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{}",
            statement.escape_ascii()
        );
    }
}

#[test]
fn truncated_statement_has_the_template_of_the_rest() {
    let statement = b"SELECT t.a, count(*) FROM t WHERE b = 'x' AND c IN (1, 2) LIMIT 5";
    for (end, expected) in [
        (11, "SELECT t.a,"),
        (20, "SELECT t.a, COUNT(*)"),
        (38, "SELECT t.a, COUNT(*) FROM t WHERE b ="),
        (39, "SELECT t.a, COUNT(*) FROM t WHERE b = ?"),
        (40, "SELECT t.a, COUNT(*) FROM t WHERE b = ?"),
        (53, "SELECT t.a, COUNT(*) FROM t WHERE b = ? AND c IN (?"),
        (56, "SELECT t.a, COUNT(*) FROM t WHERE b = ? AND c IN (?, ..."),
    ] {
        assert_eq!(String::from_utf8_lossy(&build_statement_template(&statement[..end])), expected, "{end}");
    }
}

#[test]
fn template_depends_on_names_but_not_on_values() {
    let same = |left: &str, right: &str| {
        build_statement_template(left.as_bytes()) == build_statement_template(right.as_bytes())
    };
    assert!(same("select * from t where a = 1", "SELECT  *\nFROM t where a='x' -- y"));
    assert!(same("insert into t values (1, 2), (3, 4)", "insert into t values (1, 2), (3, 4), (5, null)"));
    assert!(same("select * from t where a in (1)", "select * from t where a in (1, 2, 3)"));
    assert!(!same("select * from t1", "select * from t2"));
    assert!(!same("select * from t", "select * from T"));
    assert!(same("select a from t", "select `a` from t"));
    assert!(!same("select date from t", "select `date` from t"));
    assert!(same("select Date from t", "select date from t"));
    assert!(!same("select f(1)", "select f(1, 2)"));
}

/// Nested rows are collapsed up to a depth that no application reaches. Deeper rows are preserved.
#[test]
fn deeply_nested_parentheses_are_preserved() {
    let deep = |depth: usize| [b"select ".to_vec(), b"(".repeat(depth), b"1, 2".to_vec(), b")".repeat(depth)].concat();
    assert_eq!(build_statement_template(&deep(3)), b"SELECT (((...)))");
    let template = build_statement_template(&deep(1_000_000));
    assert_eq!(
        template,
        [b"SELECT ".to_vec(), b"(".repeat(1_000_000), b"?, ...".to_vec(), b")".repeat(1_000_000)].concat()
    );
}
