//! Reads sessions row by row from `SHOW FULL PROCESSLIST` or from `performance_schema.processlist`.

use std::str::FromStr;

use clew_diagnose::is_internal_session;
use clew_model::{Limitation, Session};

use crate::client::{Client, Error, ResultSetRows, RowCells};
use crate::limitations;

/// Memory usage of a [`Session`] in bytes, excluding the contents of its text columns.
const SESSION_OVERHEAD_BYTES: usize = size_of::<Session>() + 5 * 16;

pub(crate) struct ProcessListReader<'a> {
    rows: ResultSetRows<'a>,
    /// Number of truncated rows.
    pub(crate) truncated: u64,
    /// Number of idle user sessions whose idle time was negative or implausibly long and was therefore replaced with 0.
    clamped: u64,
}

impl<'a> ProcessListReader<'a> {
    /// Truncates each row to `max_row` bytes.
    pub(crate) async fn open(client: &'a mut Client, query: &str, max_row: usize) -> Result<Self, Error> {
        Ok(Self { rows: client.query(query, max_row).await?, truncated: 0, clamped: 0 })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Session>, Error> {
        let Some(cells) = self.rows.next().await? else { return Ok(None) };
        self.truncated += u64::from(cells.truncated);
        let (session, is_clamped) = parse_session(cells)?;
        // The elapsed times of busy sessions are checked against statement timers instead.
        let is_idle = session.is_idle();
        self.clamped += u64::from(is_clamped && is_idle && !is_internal_session(&session));
        Ok(Some(session))
    }

    /// Returns a note about unreliable data if invalid idle times were replaced with 0.
    pub(crate) fn describe_invalid_idle_times(&self) -> Option<Limitation> {
        (self.clamped > 0).then(|| limitations::describe_invalid_idle_durations(self.clamped))
    }
}

/// Truncates the session's statement to `max` bytes and releases the memory of the removed bytes.
pub(crate) fn truncate_statement(session: &mut Session, max: usize) {
    if let Some(statement) = &mut session.statement {
        statement.truncate(max);
        statement.shrink_to_fit();
    }
}

/// Limits the memory use of the sessions that Clew has read from a process list.
/// Short rows occupy more bytes in memory than on the network, so a limit on received bytes is not sufficient.
#[derive(Debug)]
pub(crate) struct SessionMemoryLimiter {
    bytes: usize,
    limit: usize,
}

impl SessionMemoryLimiter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: 0, limit }
    }

    pub(crate) fn reset(&mut self) {
        self.bytes = 0;
    }

    /// Adds the size of a session to the memory usage. Fails if the memory usage exceeds the limit.
    pub(crate) fn add_session(&mut self, session: &Session) -> Result<(), Error> {
        let Session { user, host, database, command, state, statement, .. } = session;
        let texts = [Some(user), Some(host), Some(command), database.as_ref(), state.as_ref(), statement.as_ref()];
        self.bytes += SESSION_OVERHEAD_BYTES + texts.into_iter().flatten().map(Vec::len).sum::<usize>();
        if self.bytes > self.limit {
            return Err(Error::TooLarge { what: "bytes of sessions for one read", limit: self.limit as u64 });
        }
        Ok(())
    }
}

/// Parses the columns `Id`, `User`, `Host`, `db`, `Command`, `Time`, `State` and `Info`. Ignores additional columns.
/// Returns the session and a flag that is true if its elapsed time was invalid and has been replaced with 0.
fn parse_session(mut cells: RowCells<'_>) -> Result<(Session, bool), Error> {
    let mut cell = || cells.next_cell();
    let id = parse_number_cell(cell()?).unwrap_or(0);
    let (user, host) = (cell()?.unwrap_or_default().to_vec(), cell()?.unwrap_or_default().to_vec());
    let (database, command) = (cell()?.map(<[u8]>::to_vec), cell()?.unwrap_or_default().to_vec());
    let printed = cell()?;
    let time: Option<i64> = parse_number_cell(printed);
    let seconds = time.map_or(0, |seconds| Session::sanitize_duration_seconds(seconds.into()));
    let is_clamped = printed.is_some() && time != Some(seconds.cast_signed());
    let (state, statement) = (cell()?.map(<[u8]>::to_vec), cell()?.map(<[u8]>::to_vec));
    Ok((Session { id, user, host, database, command, seconds, state, statement }, is_clamped))
}

fn parse_number_cell<N: FromStr>(text: Option<&[u8]>) -> Option<N> {
    std::str::from_utf8(text?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rows_count_with_their_full_memory() {
        const LIMIT: usize = 1 << 20;
        let (session, mut memory) = (Session::default(), SessionMemoryLimiter::new(LIMIT));
        let count = (0..LIMIT).take_while(|_| memory.add_session(&session).is_ok()).count();
        assert_eq!(count, LIMIT / SESSION_OVERHEAD_BYTES);
        let whole = Session { statement: Some(vec![b'x'; LIMIT]), ..Session::default() };
        assert!(matches!(SessionMemoryLimiter::new(LIMIT).add_session(&whole), Err(Error::TooLarge { .. })));
    }
}
