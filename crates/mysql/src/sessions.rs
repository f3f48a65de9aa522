//! Sessions, as `SHOW FULL PROCESSLIST` streams them, or the table that is like it.

use std::str::FromStr;

use clew_diagnose::is_internal;
use clew_model::{Limitation, LimitationKind, Session};

use crate::client::{Cells, Client, Error, Rows};
use crate::connection::Connection;
use crate::statements;

/// Memory of the sessions that one read keeps: as much as of other results.
const MAX_KEPT: usize = 256 << 20;
/// Memory of a session besides its texts, which are allocated one by one.
const OVERHEAD: usize = size_of::<Session>() + 5 * 16;

/// Longest row that is read whole: a longer statement is cut. The API has room for 64 MiB.
pub(crate) const MAX_ROW: usize = (64 << 20) + (4 << 10);

/// Rows of the process list, one at a time.
pub(crate) struct Sessions<'a> {
    rows: Rows<'a>,
    /// Rows that were cut.
    truncated: u64,
    /// Idle sessions of users whose seconds were negative or absurd.
    clamped: u64,
}

/// Starts reading all sessions that the account may see; of each row, at most so many bytes.
pub(crate) async fn read(connection: &mut Connection, max_row: usize) -> Result<Sessions<'_>, Error> {
    list(&mut connection.link.client, max_row).await
}

/// The same over a client.
pub(crate) async fn list(client: &mut Client, max_row: usize) -> Result<Sessions<'_>, Error> {
    Ok(Sessions { rows: client.query(statements::SESSIONS, max_row).await?, truncated: 0, clamped: 0 })
}

/// The same for repeated reads, with the beginnings of statements: of MySQL with its performance_schema on.
pub(crate) async fn read_without_lock(connection: &mut Connection, max_row: usize) -> Result<Sessions<'_>, Error> {
    let rows = connection.link.client.query(statements::SESSIONS_WITHOUT_LOCK, max_row).await?;
    Ok(Sessions { rows, truncated: 0, clamped: 0 })
}

impl Sessions<'_> {
    /// The next session; nothing after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Session>, Error> {
        let Some(cells) = self.rows.next().await? else { return Ok(None) };
        self.truncated += u64::from(cells.truncated);
        let (session, is_clamped) = session(cells)?;
        // Those that do something are checked against the server's timers.
        let is_idle = session.command.eq_ignore_ascii_case(b"Sleep");
        self.clamped += u64::from(is_clamped && is_idle && !is_internal(&session));
        Ok(Some(session))
    }

    /// How many of the rows were cut.
    pub(crate) fn truncated(&self) -> u64 {
        self.truncated
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

/// Memory of the sessions that a read keeps. A short row of a server takes more as a session than on the wire.
#[derive(Debug, Default)]
pub(crate) struct Kept(usize);

impl Kept {
    /// Counts a session that is kept. Fails beyond the limit.
    pub(crate) fn add(&mut self, session: &Session) -> Result<(), Error> {
        let Session { user, host, database, command, state, statement, .. } = session;
        let texts = [Some(user), Some(host), Some(command), database.as_ref(), state.as_ref(), statement.as_ref()];
        self.0 += OVERHEAD + texts.into_iter().flatten().map(Vec::len).sum::<usize>();
        if self.0 > MAX_KEPT {
            return Err(Error::TooLarge { what: "bytes of sessions that are kept in memory", limit: MAX_KEPT as u64 });
        }
        Ok(())
    }
}

/// Columns: Id, User, Host, db, Command, Time, State, Info; MariaDB adds Progress. All text. Says whether the time was not believable.
fn session(mut cells: Cells<'_>) -> Result<(Session, bool), Error> {
    let mut cell = || cells.next_cell();
    let id = number(cell()?).unwrap_or(0);
    let (user, host) = (cell()?.unwrap_or_default().to_vec(), cell()?.unwrap_or_default().to_vec());
    let (database, command) = (cell()?.map(<[u8]>::to_vec), cell()?.unwrap_or_default().to_vec());
    let printed = cell()?;
    let time: Option<i64> = number(printed);
    let seconds = time.map_or(0, |seconds| Session::believable_seconds(seconds.into()));
    let is_clamped = printed.is_some() && time != Some(seconds.cast_signed());
    let (state, statement) = (cell()?.map(<[u8]>::to_vec), cell()?.map(<[u8]>::to_vec));
    Ok((Session { id, user, host, database, command, seconds, state, statement }, is_clamped))
}

/// What does not fit is unbelievable too.
fn number<N: FromStr>(text: Option<&[u8]>) -> Option<N> {
    std::str::from_utf8(text?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rows_are_counted_with_the_memory_that_they_take() {
        let (session, mut kept) = (Session::default(), Kept::default());
        let count = (0..MAX_KEPT).take_while(|_| kept.add(&session).is_ok()).count();
        assert_eq!(count, MAX_KEPT / OVERHEAD);
        let whole = Session { statement: Some(vec![b'x'; MAX_KEPT]), ..Session::default() };
        assert!(matches!(Kept::default().add(&whole), Err(Error::TooLarge { .. })));
    }
}
