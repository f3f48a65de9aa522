//! Plausible responses to statements that a rogue server does not attack.

use std::io;

use tokio::io::AsyncWrite;

use crate::fake_server::packets;
use crate::protocol::write_packet;

/// Number of columns of `SHOW FULL PROCESSLIST` on MySQL. MariaDB has one more, which is optional for clients.
const PROCESS_LIST_COLUMNS: usize = 8;

/// Responds to a lower-case statement: constants with one row, tables with no rows, other statements with OK.
pub(super) async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    statement: &str,
    version: &str,
    connection: u32,
) -> io::Result<()> {
    let Some(columns) = column_count(statement) else { return write_packet(stream, 1, &packets::OK).await };
    let mut sequence = send_columns(stream, columns).await?;
    if let Some(values) = row(statement, version, connection) {
        let values: Vec<Option<&[u8]>> = values.iter().map(|value| Some(value.as_bytes())).collect();
        write_packet(stream, sequence, &packets::row(&values)).await?;
        sequence = sequence.wrapping_add(1);
    }
    write_packet(stream, sequence, &packets::EOF).await
}

/// Sends the definitions of text columns. Returns the next sequence number.
pub(super) async fn send_columns(stream: &mut (impl AsyncWrite + Unpin), columns: usize) -> io::Result<u8> {
    write_packet(stream, 1, &[u8::try_from(columns).map_err(io::Error::other)?]).await?;
    let mut sequence = 2;
    for column in 0..columns {
        write_packet(stream, sequence, &packets::column(&format!("c{column}"))).await?;
        sequence = sequence.wrapping_add(1);
    }
    write_packet(stream, sequence, &packets::EOF).await?;
    Ok(sequence.wrapping_add(1))
}

/// Returns the number of result columns, or `None` for a statement without rows.
pub(super) fn column_count(statement: &str) -> Option<usize> {
    if statement.contains("processlist") && statement.starts_with("show") {
        Some(PROCESS_LIST_COLUMNS)
    } else if statement.starts_with("show grants") {
        Some(1)
    } else if statement.starts_with("show") {
        Some(2)
    } else {
        select_list(statement).map(|list| list.len())
    }
}

fn row(statement: &str, version: &str, connection: u32) -> Option<Vec<String>> {
    if statement.starts_with("show grants") {
        return Some(vec!["GRANT ALL PRIVILEGES ON *.* TO `root`@`%`".to_owned()]);
    }
    if statement.starts_with("show") {
        let name = statement.split('\'').nth(1)?;
        return Some(vec![name.to_owned(), if name == "uptime" { "100000" } else { "" }.to_owned()]);
    }
    let list = select_list(statement)?;
    // The server's start time is in a table.
    if reads_table(statement) && !statement.contains("'uptime'") {
        return None;
    }
    Some(list.into_iter().map(|expression| constant(expression, version, connection)).collect())
}

fn constant(expression: &str, version: &str, connection: u32) -> String {
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

/// Returns the expressions of a `SELECT`.
fn select_list(statement: &str) -> Option<Vec<&str>> {
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
            b'f' if depth == 0 && is_from(list, at) => {
                expressions.push(list.get(start..at)?.trim());
                return Some(expressions);
            }
            _ => {}
        }
    }
    expressions.push(list.get(start..)?.trim());
    Some(expressions)
}

/// Returns true if a `SELECT` reads a table outside of parentheses.
fn reads_table(statement: &str) -> bool {
    let depth = |text: &str| text.matches('(').count() == text.matches(')').count();
    statement.match_indices('f').any(|(at, _)| is_from(statement, at) && statement.get(..at).is_some_and(depth))
}

fn is_from(text: &str, at: usize) -> bool {
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
        assert_eq!(column_count(statement), Some(3));
        assert!(reads_table(statement));
        assert!(!reads_table("select version(), (select x from y)"));
        assert_eq!(column_count("set names utf8mb4"), None);
        assert_eq!(column_count("show full processlist"), Some(8));
    }

    #[test]
    fn constant_queries_get_plausible_values() {
        let values = row("select version(), connection_id()", "9.7.0", 7).unwrap();
        assert_eq!(values, ["9.7.0", "7"]);
        assert_eq!(row("select trx_id from information_schema.innodb_trx", "9.7.0", 7), None);
    }
}
