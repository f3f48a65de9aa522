//! Streams sessions from `SHOW FULL PROCESSLIST` or from `performance_schema.processlist`.

use std::str::FromStr;

use clew_diagnose::is_internal;
use clew_model::{Failure, Limitation, LimitationKind, Session};

use crate::client::{Cells, Client, Error, Rows};
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::statements;

/// Maximum memory of the sessions that one read stores, as for other results.
const MAX_SESSION_MEMORY: usize = 256 << 20;
/// Memory of a session without its texts, which are separate allocations.
const SESSION_OVERHEAD: usize = size_of::<Session>() + 5 * 16;

/// Maximum bytes read of a row; a longer statement is truncated. The API has room for 64 MiB.
pub(crate) const MAX_ROW_BYTES: usize = (64 << 20) + (4 << 10);

/// Reader of process list rows.
pub(crate) struct SessionRows<'a> {
    rows: Rows<'a>,
    /// Number of truncated rows.
    truncated: u64,
    /// Number of idle user sessions with a negative or absurd age.
    clamped: u64,
}

/// Starts reading all sessions visible to the account, at most `max_row` bytes of each row.
pub(crate) async fn query(connection: &mut Connection, max_row: usize) -> Result<SessionRows<'_>, Error> {
    query_with_client(&mut connection.raw.client, max_row).await
}

/// Starts reading all sessions over a client. See [`query`].
pub(crate) async fn query_with_client(client: &mut Client, max_row: usize) -> Result<SessionRows<'_>, Error> {
    Ok(SessionRows { rows: client.query(statements::PROCESS_LIST, max_row).await?, truncated: 0, clamped: 0 })
}

/// Starts reading all sessions of MySQL without a global lock, with the start of each statement.
/// Needs performance_schema.
pub(crate) async fn query_without_lock(connection: &mut Connection, max_row: usize) -> Result<SessionRows<'_>, Error> {
    let rows = connection.raw.client.query(statements::PROCESS_LIST_WITHOUT_LOCK, max_row).await?;
    Ok(SessionRows { rows, truncated: 0, clamped: 0 })
}

impl SessionRows<'_> {
    /// Returns the next session, or `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Session>, Error> {
        let Some(cells) = self.rows.next().await? else { return Ok(None) };
        self.truncated += u64::from(cells.truncated);
        let (session, is_clamped) = parse_session(cells)?;
        // Busy sessions are checked against the server's timers.
        let is_idle = session.command.eq_ignore_ascii_case(b"Sleep");
        self.clamped += u64::from(is_clamped && is_idle && !is_internal(&session));
        Ok(Some(session))
    }

    /// Returns the number of truncated rows.
    pub(crate) fn truncated(&self) -> u64 {
        self.truncated
    }

    /// Returns a limitation if ages were clamped.
    pub(crate) fn limitation(&self) -> Option<Limitation> {
        (self.clamped > 0).then(|| Limitation {
            kind: LimitationKind::UnreliableAges,
            what: format!("Seconds of {} idle sessions are negative or absurd and are shown as 0.", self.clamped),
            why: "The server's clock was set back, or the sessions set a time of their own (SET timestamp).".to_owned(),
            remedy: None,
        })
    }
}

/// Returns whether the server truncates statements in its process list.
/// Only MySQL does; older versions do not have the variable.
pub(crate) async fn is_truncated(connection: &mut Connection) -> Result<bool, Failure> {
    if connection.flavor != Flavor::MySql {
        return Ok(false);
    }
    match connection.query_all::<Option<String>>(statements::PROCESS_LIST_FROM_PERFORMANCE_SCHEMA).await {
        Ok(rows) => Ok(rows.first().is_some_and(|value| matches!(value.as_deref(), Some("1" | "ON")))),
        Err(Error::Server(_)) => Ok(false),
        Err(error) => Err(connection.to_failure(&error)),
    }
}

/// Counts the memory of stored sessions. A short row needs more memory as a [`Session`] than on the wire.
#[derive(Debug, Default)]
pub(crate) struct SessionMemory(usize);

impl SessionMemory {
    /// Counts a stored session. Fails above [`MAX_SESSION_MEMORY`].
    pub(crate) fn add(&mut self, session: &Session) -> Result<(), Error> {
        let Session { user, host, database, command, state, statement, .. } = session;
        let texts = [Some(user), Some(host), Some(command), database.as_ref(), state.as_ref(), statement.as_ref()];
        self.0 += SESSION_OVERHEAD + texts.into_iter().flatten().map(Vec::len).sum::<usize>();
        if self.0 > MAX_SESSION_MEMORY {
            return Err(Error::TooLarge {
                what: "bytes of sessions that are kept in memory",
                limit: MAX_SESSION_MEMORY as u64,
            });
        }
        Ok(())
    }
}

/// Parses a row: Id, User, Host, db, Command, Time, State, Info; MariaDB adds Progress. All columns are text.
/// Also returns whether the age was clamped.
fn parse_session(mut cells: Cells<'_>) -> Result<(Session, bool), Error> {
    let mut cell = || cells.next_cell();
    let id = parse_number(cell()?).unwrap_or(0);
    let (user, host) = (cell()?.unwrap_or_default().to_vec(), cell()?.unwrap_or_default().to_vec());
    let (database, command) = (cell()?.map(<[u8]>::to_vec), cell()?.unwrap_or_default().to_vec());
    let printed = cell()?;
    let time: Option<i64> = parse_number(printed);
    let seconds = time.map_or(0, |seconds| Session::sanitize_seconds(seconds.into()));
    let is_clamped = printed.is_some() && time != Some(seconds.cast_signed());
    let (state, statement) = (cell()?.map(<[u8]>::to_vec), cell()?.map(<[u8]>::to_vec));
    Ok((Session { id, user, host, database, command, seconds, state, statement }, is_clamped))
}

/// Parses a number. Returns `None` if it is malformed or out of range.
fn parse_number<N: FromStr>(text: Option<&[u8]>) -> Option<N> {
    std::str::from_utf8(text?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rows_count_with_their_full_memory() {
        let (session, mut kept) = (Session::default(), SessionMemory::default());
        let count = (0..MAX_SESSION_MEMORY).take_while(|_| kept.add(&session).is_ok()).count();
        assert_eq!(count, MAX_SESSION_MEMORY / SESSION_OVERHEAD);
        let whole = Session { statement: Some(vec![b'x'; MAX_SESSION_MEMORY]), ..Session::default() };
        assert!(matches!(SessionMemory::default().add(&whole), Err(Error::TooLarge { .. })));
    }
}
