//! Expected templates of single statements: `table.txt`.

use std::fmt::Write;

use clew_diagnose::build_statement_template;

use crate::leaks::assert_no_leak;

/// Pairs of lines: a statement, then its template, indented by four spaces. Lines with `##` are headings.
const TABLE: &str = include_str!("table.txt");

#[test]
fn templates_match_the_table() {
    let mut wrong = String::new();
    let mut lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with("##"));
    let mut count = 0;
    while let Some(statement) = lines.next() {
        let expected = lines
            .next()
            .and_then(|line| line.strip_prefix("    "))
            .unwrap_or_else(|| panic!("no template of {statement}"));
        let found = build_statement_template(statement.as_bytes());
        let found = String::from_utf8_lossy(&found);
        if found != expected {
            writeln!(wrong, "{statement}\n  actual    {found}\n  expected  {expected}").unwrap();
        }
        assert_eq!(
            build_statement_template(found.as_bytes()),
            found.as_bytes(),
            "the template of {statement} is not idempotent"
        );
        assert_no_leak(statement.as_bytes());
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 150, "only {count} statements");
}
