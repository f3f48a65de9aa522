//! Captures the SQL statements of a Clew command by reading the database server's general log.
//! Benchmarks replay the captured statements. `cargo xtask bench --quick` checks the number of statements.

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_testkit::DatabaseServer;
use mysql_async::prelude::Queryable;

use crate::error::BenchError;

const ENABLE_GENERAL_LOG_STATEMENTS: [&str; 3] =
    ["SET GLOBAL log_output = 'TABLE'", "TRUNCATE TABLE mysql.general_log", "SET GLOBAL general_log = ON"];
const DISABLE_GENERAL_LOG_STATEMENT: &str = "SET GLOBAL general_log = OFF";
const GENERAL_LOG_QUERY: &str = "SELECT CONVERT(command_type USING utf8mb4), CONVERT(argument USING utf8mb4) FROM mysql.general_log \
     WHERE thread_id <> CONNECTION_ID() ORDER BY event_time, thread_id";

#[derive(Debug, Clone, Default)]
pub(super) struct QueryLog {
    pub(super) connections: usize,
    pub(super) statements: Vec<String>,
}

/// No other client may use the server during the capture.
pub(super) async fn capture_query_log(command: &Command, server: &DatabaseServer) -> Result<QueryLog, BenchError> {
    let failed = DevtoolsError::operation_error("read the server's general log");
    let mut control = server.connect_as_root().await.map_err(failed)?;
    for statement in ENABLE_GENERAL_LOG_STATEMENTS {
        control.query_drop(statement).await.map_err(failed)?;
    }
    let output = command.output().await;
    control.query_drop(DISABLE_GENERAL_LOG_STATEMENT).await.map_err(failed)?;
    output?;
    let entries: Vec<(String, String)> = control.query(GENERAL_LOG_QUERY).await.map_err(failed)?;
    control.disconnect().await.map_err(failed)?;
    let mut log = QueryLog::default();
    for (command_type, argument) in entries {
        match command_type.as_str() {
            "Connect" => log.connections += 1,
            "Quit" => {}
            _ => log.statements.push(argument),
        }
    }
    Ok(log)
}

impl QueryLog {
    pub(super) fn find_snapshot_statements(&self) -> Result<String, BenchError> {
        let read = |table: &str| {
            let statement = self.statements.iter().find(|statement| statement.contains(table));
            statement.ok_or_else(|| {
                let cause = format!("it does not read {table}");
                DevtoolsError::unexpected_output_error("clew snapshot", cause, self.statements.join("\n"))
            })
        };
        Ok(format!("{}; {}", read("PROCESSLIST")?, read("innodb_trx")?))
    }
}
