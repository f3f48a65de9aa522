//! Sessions, as `SHOW FULL PROCESSLIST` streams them, or the table that is like it.

use std::str::FromStr;

use clew_model::Session;
use mysql_async::{QueryResult, Row, TextProtocol, Value};

use crate::connection::Connection;
use crate::statements;

/// Rows of the process list, one at a time.
pub(crate) struct Sessions<'a> {
    rows: QueryResult<'a, 'static, TextProtocol>,
}

/// Starts reading all sessions that the account may see.
pub(crate) async fn read(connection: &mut Connection) -> Result<Sessions<'_>, mysql_async::Error> {
    ask(connection, statements::SESSIONS).await
}

/// The same for those who look again and again, with the beginnings of statements: of MySQL with its performance_schema on.
pub(crate) async fn read_without_lock(connection: &mut Connection) -> Result<Sessions<'_>, mysql_async::Error> {
    ask(connection, statements::SESSIONS_WITHOUT_LOCK).await
}

async fn ask<'a>(connection: &'a mut Connection, statement: &'static str) -> Result<Sessions<'a>, mysql_async::Error> {
    use mysql_async::prelude::Queryable;
    Ok(Sessions { rows: connection.driver.query_iter(statement).await? })
}

impl Sessions<'_> {
    /// The next session; nothing after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Session>, mysql_async::Error> {
        Ok(self.rows.next().await?.map(session))
    }
}

/// Columns: Id, User, Host, db, Command, Time, State, Info; MariaDB adds Progress. All text.
fn session(mut row: Row) -> Session {
    let mut bytes = |column: usize| match row.take_opt::<Value, _>(column) {
        Some(Ok(Value::Bytes(bytes))) => Some(bytes),
        _ => None,
    };
    Session {
        id: number(bytes(0)).unwrap_or(0),
        user: bytes(1).unwrap_or_default(),
        host: bytes(2).unwrap_or_default(),
        database: bytes(3),
        command: bytes(4).unwrap_or_default(),
        seconds: number(bytes(5)).map_or(0, |seconds: i64| Session::believable_seconds(seconds.into())),
        state: bytes(6),
        statement: bytes(7),
    }
}

/// What does not fit is unbelievable too.
fn number<N: FromStr>(text: Option<Vec<u8>>) -> Option<N> {
    std::str::from_utf8(&text?).ok()?.parse().ok()
}
