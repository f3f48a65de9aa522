//! Lists for eyes: a heading, then a line each.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

/// The rows under their headings; without rows what is said instead.
pub(crate) fn list<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>, empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| one_line(&cell)));
    }
    table.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

/// Names of a thing and their values, one a line.
pub(crate) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {}\n", one_line(value));
    facts.iter().filter(|(_, value)| !value.is_empty()).map(line).collect()
}

/// Text that a terminal takes for nothing but text: some of it was sent by people who never signed in.
pub(crate) fn one_line(text: &str) -> String {
    clew_diagnose::terminal::one_line(text.as_bytes())
}

/// For eyes.
pub(crate) fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_drive_a_terminal_is_shown_and_not_done() {
        let rows = vec![["a\u{1b}[2Jb\n".to_owned(), "x".to_owned()]];
        let text = list(["NAME", "WHAT"], rows, "none");
        assert!(text.contains("a [2Jb") && text.lines().count() == 2, "{text:?}");
        assert_eq!(list(["NAME"], Vec::new(), "No users."), "No users.\n");
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        assert_eq!(facts(&[("a", "1".into()), ("long", String::new()), ("bb", "2".into())]), "a     1\nbb    2\n");
    }
}
