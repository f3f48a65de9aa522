//! Reads the execution plan of a session's running statement.

use clew_diagnose::bytes_to_text;
use clew_model::{Failure, LocalizedText, NodeUrl};

use crate::client::Error;
use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::{failure, sql_statements};
use sql_statements::ER_NO_SUCH_THREAD;

/// Maximum number of rows of an execution plan. A plan usually has one row per table.
const MAX_PLAN_ROWS: usize = 1000;
const MAX_PLAN_ROW_BYTES: usize = 64 << 10;

/// Result of `EXPLAIN FOR CONNECTION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplainOutcome {
    /// Execution plan as a text table with a header line and one line per row.
    Plan(String),
    /// Reason why no execution plan is available, usually the server's error message.
    NoPlan(LocalizedText),
    /// The server has no session with the given connection id.
    NoSession,
}

/// Reads the execution plan of a session's running statement.
///
/// Fails after the read timeout.
/// If this function fails or its future is dropped, Clew kills its own running statement on the server.
pub async fn explain_running_statement(
    node: &NodeUrl,
    id: u64,
    connector: &NodeConnector,
) -> Result<ExplainOutcome, Failure> {
    Connection::run(node, connector, "explaining a statement", async |connection| {
        let result = match connection.flavor {
            Flavor::MySql => read_execution_plan(connection, &sql_statements::mysql_explain_statement(id)).await,
            Flavor::MariaDb => match connection.raw.client.execute(sql_statements::SET_EXPLAIN_TIMEOUT_STATEMENT).await
            {
                Ok(()) => read_execution_plan(connection, &sql_statements::mariadb_explain_statement(id)).await,
                Err(error) => Err(error),
            },
        };
        let explained = match result {
            Ok(lines) => ExplainOutcome::Plan(format_text_table(&lines)),
            Err(Error::Server(error)) if error.code == ER_NO_SUCH_THREAD => ExplainOutcome::NoSession,
            Err(Error::Server(error)) if failure::is_server_timeout(&error) && connection.flavor == Flavor::MariaDb => {
                ExplainOutcome::NoPlan(LocalizedText::new(
                    "The session did not return its plan within 7 s, because it waits for a lock or another resource.",
                    "会话在等待锁或其他资源，7秒内未返回执行计划。",
                ))
            }
            Err(Error::Server(error)) if !failure::is_server_timeout(&error) => {
                ExplainOutcome::NoPlan(LocalizedText::untranslated(error.message))
            }
            Err(error) => return Err(connection.failure_from_client_error(&error)),
        };
        Ok(explained)
    })
    .await
}

/// Returns the rows of the execution plan. The first row contains the column names.
async fn read_execution_plan(connection: &mut Connection, statement: &str) -> Result<Vec<Vec<String>>, Error> {
    let mut rows = connection.raw.client.query(statement, MAX_PLAN_ROW_BYTES).await?;
    let names: Vec<String> = rows.columns.iter().map(|column| bytes_to_text(column.name_ref())).collect();
    let width = names.len();
    let mut lines: Vec<Vec<String>> = vec![names];
    while let Some(mut row) = rows.next().await? {
        if lines.len() <= MAX_PLAN_ROWS {
            let cells = (0..width).map(|_| Ok(row.next_cell()?.map_or_else(|| "NULL".to_owned(), bytes_to_text)));
            lines.push(cells.collect::<Result<_, Error>>()?);
        }
    }
    Ok(lines)
}

fn format_text_table(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(max_width) => *max_width = width.max(*max_width),
                None => widths.push(width),
            }
        }
    }
    let aligned = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(aligned).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_columns_are_aligned() {
        let lines = [vec!["id", "table"], vec!["1", "Städte"], vec!["10", "t"]];
        let lines = lines.map(|line| line.into_iter().map(str::to_owned).collect());
        assert_eq!(format_text_table(&lines), "id  table\n1   Städte\n10  t");
        assert_eq!(format_text_table(&[]), "");
    }
}
