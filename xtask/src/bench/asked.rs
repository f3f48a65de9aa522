//! What Clew asks a server, word for word: by the server's general log. So its peer is sent the same, and what is sent is counted.

use clew_testkit::Server;
use mysql_async::prelude::Queryable;

use crate::command::Command;
use crate::error::XtaskError;

const START: [&str; 3] =
    ["SET GLOBAL log_output = 'TABLE'", "TRUNCATE TABLE mysql.general_log", "SET GLOBAL general_log = ON"];
const STOP: &str = "SET GLOBAL general_log = OFF";
const READ: &str = "SELECT CONVERT(command_type USING utf8mb4), CONVERT(argument USING utf8mb4) FROM mysql.general_log \
     WHERE thread_id <> CONNECTION_ID() ORDER BY event_time, thread_id";

/// What was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Connections that were opened.
    pub(super) connections: usize,
    /// Statements, in their order.
    pub(super) statements: Vec<String>,
}

/// What a command asks a server on which nobody else asks anything.
pub(super) async fn by(command: &Command, server: &Server) -> Result<Asked, XtaskError> {
    let failed = |cause| XtaskError::Database { doing: "read the server's general log", cause };
    let mut control = server.connect().await.map_err(failed)?;
    for statement in START {
        control.query_drop(statement).await.map_err(failed)?;
    }
    let ran = command.answer().await;
    control.query_drop(STOP).await.map_err(failed)?;
    ran?;
    let log: Vec<(String, String)> = control.query(READ).await.map_err(failed)?;
    control.disconnect().await.map_err(failed)?;
    let mut asked = Asked::default();
    for (command, argument) in log {
        match command.as_str() {
            "Connect" => asked.connections += 1,
            "Quit" => {}
            _ => asked.statements.push(argument),
        }
    }
    Ok(asked)
}

impl Asked {
    /// The two reads of a snapshot, as one text for a client program. Fails where Clew no longer sends them.
    pub(super) fn reads(&self) -> Result<String, XtaskError> {
        let read = |table: &str| {
            self.statements.iter().find(|statement| statement.contains(table)).ok_or_else(|| XtaskError::Answer {
                command: "clew snapshot".to_owned(),
                cause: format!("it asks for no {table}"),
                answer: self.statements.join("\n"),
            })
        };
        Ok(format!("{}; {}", read("PROCESSLIST")?, read("innodb_trx")?))
    }
}
