//! Sessions, as `SHOW FULL PROCESSLIST` streams them, or the table that is like it.

use std::str::FromStr;

use clew_model::Session;

use crate::client::{Cells, Client, Error, Rows};
use crate::connection::Connection;
use crate::statements;

/// Longest row that is read whole: a longer statement is cut. The API has room for 64 MiB.
pub(crate) const MAX_ROW: usize = (64 << 20) + (4 << 10);

/// Rows of the process list, one at a time.
pub(crate) struct Sessions<'a> {
    rows: Rows<'a>,
    truncated: u64,
}

/// Starts reading all sessions that the account may see; of each row, at most so many bytes.
pub(crate) async fn read(connection: &mut Connection, max_row: usize) -> Result<Sessions<'_>, Error> {
    list(&mut connection.link.client, max_row).await
}

/// The same over a client.
pub(crate) async fn list(client: &mut Client, max_row: usize) -> Result<Sessions<'_>, Error> {
    Ok(Sessions { rows: client.query(statements::SESSIONS, max_row).await?, truncated: 0 })
}

/// The same for repeated reads, with the beginnings of statements: of MySQL with its performance_schema on.
pub(crate) async fn read_without_lock(connection: &mut Connection, max_row: usize) -> Result<Sessions<'_>, Error> {
    let rows = connection.link.client.query(statements::SESSIONS_WITHOUT_LOCK, max_row).await?;
    Ok(Sessions { rows, truncated: 0 })
}

impl Sessions<'_> {
    /// The next session; nothing after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Session>, Error> {
        let Some(cells) = self.rows.next().await? else { return Ok(None) };
        self.truncated += u64::from(cells.truncated);
        session(cells).map(Some)
    }

    /// How many of the rows were cut.
    pub(crate) fn truncated(&self) -> u64 {
        self.truncated
    }
}

/// Columns: Id, User, Host, db, Command, Time, State, Info; MariaDB adds Progress. All text.
fn session(mut cells: Cells<'_>) -> Result<Session, Error> {
    let mut cell = || cells.next_cell();
    Ok(Session {
        id: number(cell()?).unwrap_or(0),
        user: cell()?.unwrap_or_default().to_vec(),
        host: cell()?.unwrap_or_default().to_vec(),
        database: cell()?.map(<[u8]>::to_vec),
        command: cell()?.unwrap_or_default().to_vec(),
        seconds: number(cell()?).map_or(0, |seconds: i64| Session::believable_seconds(seconds.into())),
        state: cell()?.map(<[u8]>::to_vec),
        statement: cell()?.map(<[u8]>::to_vec),
    })
}

/// What does not fit is unbelievable too.
fn number<N: FromStr>(text: Option<&[u8]>) -> Option<N> {
    std::str::from_utf8(text?).ok()?.parse().ok()
}
