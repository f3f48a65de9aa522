//! Sessions, as `SHOW FULL PROCESSLIST` streams them, or the table that is like it.

use std::str::FromStr;

use clew_diagnose::is_internal;
use clew_model::{Limitation, LimitationKind, Session};
use mysql_async::{QueryResult, Row, TextProtocol, Value};

use crate::connection::Connection;
use crate::statements;

/// Rows of the process list, one at a time.
pub(crate) struct Sessions<'a> {
    rows: QueryResult<'a, 'static, TextProtocol>,
    /// Idle sessions of users whose seconds were negative or absurd.
    clamped: u64,
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
    Ok(Sessions { rows: connection.driver.query_iter(statement).await?, clamped: 0 })
}

impl Sessions<'_> {
    /// The next session; nothing after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Session>, mysql_async::Error> {
        let Some(row) = self.rows.next().await? else { return Ok(None) };
        let (session, is_clamped) = session(row);
        // Those that do something are checked against the server's timers.
        let is_idle = session.command.eq_ignore_ascii_case(b"Sleep");
        self.clamped += u64::from(is_clamped && is_idle && !is_internal(&session));
        Ok(Some(session))
    }

    /// What is wrong with the rows that were read.
    pub(crate) fn limitation(&self) -> Option<Limitation> {
        (self.clamped > 0).then(|| Limitation {
            kind: LimitationKind::UnreliableAges,
            what: format!("Seconds of {} idle sessions are negative or absurd and are shown as 0.", self.clamped),
            why: "The server's clock was set back, or the sessions set a time of their own (SET timestamp).".to_owned(),
            remedy: None,
        })
    }
}

/// Columns: Id, User, Host, db, Command, Time, State, Info; MariaDB adds Progress. All text. Says whether the time was not believable.
fn session(mut row: Row) -> (Session, bool) {
    let mut bytes = |column: usize| match row.take_opt::<Value, _>(column) {
        Some(Ok(Value::Bytes(bytes))) => Some(bytes),
        _ => None,
    };
    let (id, user, host) = (number(bytes(0)).unwrap_or(0), bytes(1).unwrap_or_default(), bytes(2).unwrap_or_default());
    let (database, command) = (bytes(3), bytes(4).unwrap_or_default());
    let printed = bytes(5);
    let is_null = printed.is_none();
    let time: Option<i64> = number(printed);
    let seconds = time.map_or(0, |seconds| Session::believable_seconds(seconds.into()));
    let is_clamped = !is_null && time != Some(seconds.cast_signed());
    let session = Session { id, user, host, database, command, seconds, state: bytes(6), statement: bytes(7) };
    (session, is_clamped)
}

/// What does not fit is unbelievable too.
fn number<N: FromStr>(text: Option<Vec<u8>>) -> Option<N> {
    std::str::from_utf8(&text?).ok()?.parse().ok()
}
