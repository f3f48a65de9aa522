//! Plain-text tables for terminals.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::error::CliError;
use crate::output::CommandOutputFormat;

pub(crate) struct ListFormat<T, const N: usize> {
    pub(crate) json_key: &'static str,
    pub(crate) headings: [&'static str; N],
    pub(crate) empty_message: &'static str,
    pub(crate) to_row: fn(&T) -> [String; N],
    pub(crate) to_json: fn(&T) -> Value,
}

impl<T, const N: usize> ListFormat<T, N> {
    pub(crate) fn print(&self, format: CommandOutputFormat, items: &[T]) -> Result<(), CliError> {
        format.print(
            || self.render_table(items),
            || json!({ self.json_key: items.iter().map(self.to_json).collect::<Vec<_>>() }),
        )
    }

    pub(crate) fn render_table(&self, items: &[T]) -> String {
        render_table(self.headings, items.iter().map(self.to_row).collect(), self.empty_message)
    }

    pub(crate) fn print_item(&self, format: CommandOutputFormat, item: &T) -> Result<(), CliError> {
        format.print(|| render_field_list(&self.fields(item)), || (self.to_json)(item))
    }

    /// Merges the first two columns, name and id, into one field.
    pub(crate) fn fields(&self, item: &T) -> Vec<(String, String)> {
        let mut columns = self.headings.iter().map(|heading| heading.to_lowercase()).zip((self.to_row)(item));
        let (name, id) = (columns.next(), columns.next());
        let name_and_id = name.zip(id).map(|((_, name), (kind, id))| (kind, format!("{name} ({id})")));
        name_and_id.into_iter().chain(columns).collect()
    }
}

macro_rules! fields_to_json {
    ($object:expr, $($field:ident),+) => { ::serde_json::json!({ $(stringify!($field): $object.$field),+ }) };
}
pub(crate) use fields_to_json;

pub(crate) fn render_table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>, empty: &str) -> String {
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| sanitize_terminal_line(&cell)));
    }
    table.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

pub(crate) fn render_field_list<N: AsRef<str>>(fields: &[(N, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.as_ref().len()).max().unwrap_or(0);
    let line = |(name, value): &(N, String)| format!("{:<width$}  {}\n", name.as_ref(), sanitize_terminal_line(value));
    fields.iter().filter(|(_, value)| !value.is_empty()).map(line).collect()
}

/// The text can contain input from unauthenticated clients.
pub(crate) fn sanitize_terminal_line(text: &str) -> String {
    clew_diagnose::terminal::bytes_to_single_line(text.as_bytes())
}

pub(crate) fn format_yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_neutralised() {
        let rows = vec![["a\u{1b}[2Jb\n".to_owned(), "x".to_owned()]];
        let text = render_table(["NAME", "WHAT"], rows, "none");
        assert!(text.contains("a [2Jb") && text.lines().count() == 2, "{text:?}");
        assert_eq!(render_table(["NAME"], Vec::new(), "No users."), "No users.\n");
    }

    #[test]
    fn fields_without_a_value_are_omitted() {
        let fields = [("a", "1".into()), ("long", String::new()), ("bb", "2".into())];
        assert_eq!(render_field_list(&fields), "a     1\nbb    2\n");
    }
}
