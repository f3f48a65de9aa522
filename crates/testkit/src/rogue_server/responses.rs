//! Responses of a rogue MySQL server to statements that do not trigger an attack.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::RogueConnection;
use crate::fake_server::packets;
use crate::mysql_packets::write_packet;

/// Number of columns that `SHOW FULL PROCESSLIST` returns on MySQL. MariaDB returns one more column.
const PROCESS_LIST_COLUMN_COUNT: usize = 8;

impl<S: AsyncRead + AsyncWrite + Unpin> RogueConnection<S> {
    pub(super) async fn send_plausible_response(&mut self, statement: &str) -> io::Result<()> {
        let Some(columns) = count_result_columns(statement) else {
            return write_packet(&mut self.stream, 1, &packets::OK_PACKET).await;
        };
        let values = build_response_row(statement, self.options.version, self.number);
        let row = values
            .map(|values| packets::encode_row(&values.iter().map(|value| Some(value.as_bytes())).collect::<Vec<_>>()));
        packets::send_result_set(&mut self.stream, columns, row.into_iter()).await
    }
}

pub(super) fn count_result_columns(statement: &str) -> Option<usize> {
    if statement.contains("processlist") && statement.starts_with("show") {
        Some(PROCESS_LIST_COLUMN_COUNT)
    } else if statement.starts_with("show grants") {
        Some(1)
    } else if statement.starts_with("show") {
        Some(2)
    } else {
        split_select_list(statement).map(|list| list.len())
    }
}

fn build_response_row(statement: &str, version: &str, connection: u32) -> Option<Vec<String>> {
    if statement.starts_with("show grants") {
        return Some(vec!["GRANT ALL PRIVILEGES ON *.* TO `root`@`%`".to_owned()]);
    }
    if statement.starts_with("show") {
        let name = statement.split('\'').nth(1)?;
        return Some(vec![name.to_owned(), if name == "uptime" { "100000" } else { "" }.to_owned()]);
    }
    let list = split_select_list(statement)?;
    // The server start time query reads a table.
    if has_from_clause(statement) && !statement.contains("'uptime'") {
        return None;
    }
    Some(list.into_iter().map(|expression| evaluate_constant_expression(expression, version, connection)).collect())
}

fn evaluate_constant_expression(expression: &str, version: &str, connection: u32) -> String {
    match expression {
        _ if expression.contains("version()") || expression.contains("@@version") => version.to_owned(),
        _ if expression.contains("connection_id()") => connection.to_string(),
        _ if expression.contains("user()") => "root@%".to_owned(),
        _ if expression.contains("server_uuid") => "6d795371-0000-4000-8000-000000000001".to_owned(),
        _ if expression.contains("variable_value") => "1796000000".to_owned(),
        _ if expression.contains("now(") || expression.contains("unix_timestamp") => "1796000000.000000".to_owned(),
        _ if expression.contains("@@") => "1".to_owned(),
        _ => "0".to_owned(),
    }
}

fn split_select_list(statement: &str) -> Option<Vec<&str>> {
    let list = statement.trim_start().strip_prefix("select")?;
    let mut expressions = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                expressions.push(list.get(start..at)?.trim());
                start = at + 1;
            }
            b'f' if depth == 0 && has_from_keyword_at(list, at) => {
                expressions.push(list.get(start..at)?.trim());
                return Some(expressions);
            }
            _ => {}
        }
    }
    expressions.push(list.get(start..)?.trim());
    Some(expressions)
}

/// Ignores `FROM` inside parentheses.
fn has_from_clause(statement: &str) -> bool {
    let depth = |text: &str| text.matches('(').count() == text.matches(')').count();
    statement
        .match_indices('f')
        .any(|(at, _)| has_from_keyword_at(statement, at) && statement.get(..at).is_some_and(depth))
}

fn has_from_keyword_at(text: &str, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
    let word = text.get(at..at + 5).unwrap_or_default();
    before.is_some_and(u8::is_ascii_whitespace) && word.trim_end() == "from" && word.len() == 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_lists_are_split_outside_of_parentheses() {
        let statement = "select version(), timestampdiff(second, a, now(6)), (select x from y) from t where a = 'b, c'";
        assert_eq!(count_result_columns(statement), Some(3));
        assert!(has_from_clause(statement));
        assert!(!has_from_clause("select version(), (select x from y)"));
        assert_eq!(count_result_columns("set names utf8mb4"), None);
        assert_eq!(count_result_columns("show full processlist"), Some(8));
    }

    #[test]
    fn constant_queries_get_plausible_values() {
        let values = build_response_row("select version(), connection_id()", "9.7.0", 7).unwrap();
        assert_eq!(values, ["9.7.0", "7"]);
        assert_eq!(build_response_row("select trx_id from information_schema.innodb_trx", "9.7.0", 7), None);
    }
}
