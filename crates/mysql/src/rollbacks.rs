//! How far rollbacks are, and how long they will take.
//!
//! InnoDB counts down the changed rows of a transaction while it undoes them. Two looks at that count tell the speed; what is left,
//! divided by it, is the estimate. Undoing is not even: rows with many indexes, and pages that must be read from disk, take longer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clew_model::{Failure, NodeUrl, Session, Transaction};
use mysql_common::Row;
use mysql_common::prelude::FromRow;
use mysql_common::row::convert::FromRowError;

use crate::client::Error;
use tokio::time::{sleep, timeout};

use crate::clock::{self, LocalAge};
use crate::connection::Connection;
use crate::limits::Limits;
use crate::transactions::{self, CANNOT_CONVERT, PRIVILEGE_MISSING, Transactions};
use crate::{doctor, failure, statements};

/// Between two looks. InnoDB itself refreshes what it shows only after 0.1 s without readers.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// Looks at most: where a count stands still, one more tells whether it was slow or stuck.
const LOOKS: u32 = 4;

/// A transaction that is being rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// The server's number of the transaction.
    pub transaction_id: u64,
    /// Its session, which MySQL may not list any more; 0 for one that was open when the server ended, and is undone since its start.
    pub session_id: u64,
    /// What the session runs, its first 1,024 bytes; nothing where it is being killed.
    pub statement: Option<Vec<u8>>,
    /// When the transaction began, as the server prints it in its own time zone: `2026-11-24 18:00:00`. Empty where the server shows
    /// its age only.
    pub started: String,
    /// Changed rows that are still to be undone.
    pub rows_modified: u64,
    /// Seconds until it is over, at the speed that was seen; at least 1. Where nothing was undone between looks, as long as the
    /// transaction has lasted: undoing takes about as long as doing.
    pub remaining_seconds: u64,
}

/// The transactions of a node that are being rolled back, by number; of these only, where some are named. Takes a quarter of a second
/// to a whole one if there are any. Needs PROCESS; without it this fails, and names the `GRANT`.
pub async fn read_rollbacks(node: &NodeUrl, wanted: Option<&[u64]>, limits: &Limits) -> Result<Vec<Rollback>, Failure> {
    timeout(limits.node, failure::without_panic(node, read(node, wanted, limits)))
        .await
        .unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "watching rollbacks", limits.node)))
}

async fn read(node: &NodeUrl, wanted: Option<&[u64]>, limits: &Limits) -> Result<Vec<Rollback>, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let first = Look::take(&mut connection, wanted).await?;
    let mut last = first.clone();
    for _ in 1..LOOKS {
        if last.undoing.iter().all(|seen| first.undone_since(seen) > 0) {
            break;
        }
        sleep(BETWEEN_LOOKS).await;
        last = Look::take(&mut connection, wanted).await?;
    }
    connection.close().await;
    let passed = last.taken.duration_since(first.taken);
    let mut rollbacks: Vec<Rollback> =
        last.undoing.iter().map(|seen| seen.estimated(first.undone_since(seen), passed)).collect();
    rollbacks.sort_by_key(|rollback| (rollback.transaction_id, rollback.session_id));
    Ok(rollbacks)
}

/// Rollbacks at one moment.
#[derive(Clone)]
struct Look {
    taken: Instant,
    undoing: Vec<Undoing>,
}

/// A rollback at one moment.
#[derive(Clone)]
struct Undoing {
    rollback: Rollback,
    /// Seconds since the transaction began.
    age: u64,
}

impl Look {
    async fn take(connection: &mut Connection, wanted: Option<&[u64]>) -> Result<Self, Failure> {
        let mut undoing = look(connection).await?;
        undoing.retain(|seen| wanted.is_none_or(|wanted| wanted.contains(&seen.rollback.transaction_id)));
        Ok(Self { taken: Instant::now(), undoing })
    }

    /// Rows that a rollback has undone since this look.
    fn undone_since(&self, now: &Undoing) -> u64 {
        let before = self.undoing.iter().find(|before| before.is_same(now));
        before.map_or(0, |before| before.rollback.rows_modified.saturating_sub(now.rollback.rows_modified))
    }
}

impl Undoing {
    /// The server gives the number of a transaction to no other.
    fn is_same(&self, other: &Self) -> bool {
        self.rollback.transaction_id == other.rollback.transaction_id
    }

    fn estimated(&self, undone: u64, passed: Duration) -> Rollback {
        let remaining_seconds =
            remaining_seconds(self.rollback.rows_modified, undone, passed).unwrap_or(self.age).max(1);
        Rollback { remaining_seconds, ..self.rollback.clone() }
    }
}

/// Seconds that as many rows take at the speed that was seen; nothing where none was.
fn remaining_seconds(rows: u64, undone: u64, passed: Duration) -> Option<u64> {
    if undone == 0 {
        return None;
    }
    let milliseconds = u128::from(rows).saturating_mul(passed.as_millis()).div_ceil(undone.into());
    Some(u64::try_from(milliseconds.div_ceil(1000)).unwrap_or(u64::MAX))
}

/// The transactions that are being rolled back. Where some statement of some transaction keeps the table from being read, what
/// InnoDB's status tells of them.
async fn look(connection: &mut Connection) -> Result<Vec<Undoing>, Failure> {
    match connection.ask::<UndoingRow>(statements::ROLLBACKS).await {
        Ok(rows) => return with_ages(connection, rows).await.map_err(|error| connection.failed(&error)),
        Err(Error::Server(error)) if error.code == PRIVILEGE_MISSING || error.code == CANNOT_CONVERT => {}
        Err(error) => return Err(connection.failed(&error)),
    }
    match transactions::read(connection).await.map_err(|error| connection.failed(&error))? {
        Transactions::Readable(all) | Transactions::FromStatus(all) => {
            Ok(all.into_iter().filter(Transaction::is_rolling_back).map(Undoing::from).collect())
        }
        Transactions::Hidden => {
            let account = doctor::account(connection).await?;
            Err(doctor::missing(connection, "see transactions", "PROCESS", &account))
        }
    }
}

impl From<Transaction> for Undoing {
    fn from(transaction: Transaction) -> Self {
        let rollback = Rollback {
            transaction_id: transaction.id,
            session_id: transaction.session_id,
            statement: None,
            started: String::new(),
            rows_modified: transaction.rows_modified,
            remaining_seconds: 0,
        };
        Self { rollback, age: transaction.seconds }
    }
}

/// Ages of these transactions, by the server's clock. Of a start that occurred twice the later is taken: only an estimate follows from it.
async fn with_ages(connection: &mut Connection, rows: Vec<UndoingRow>) -> Result<Vec<Undoing>, Error> {
    let clock = if rows.is_empty() { None } else { clock::read(connection).await? };
    let started = |row: &UndoingRow| clock::parse(&row.0.started);
    let ages = match &clock {
        Some(clock) => clock::ages(connection, clock, rows.iter().filter_map(started).collect()).await?,
        None => HashMap::new(),
    };
    let age = |row: &UndoingRow| match started(row).and_then(|time| ages.get(&time)) {
        Some(LocalAge::Exact(age) | LocalAge::Ambiguous(age, _)) => Session::believable_seconds((*age).into()),
        None => 0,
    };
    Ok(rows.into_iter().map(|row| Undoing { age: age(&row), rollback: row.0 }).collect())
}

struct UndoingRow(Rollback);

impl FromRow for UndoingRow {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        let (transaction_id, session_id, statement, started, rows_modified): (u64, u64, Option<Vec<u8>>, String, u64) =
            FromRow::from_row_opt(row)?;
        Ok(Self(Rollback { transaction_id, session_id, statement, started, rows_modified, remaining_seconds: 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_it_took_so_far() {
        let passed = Duration::from_millis(500);
        assert_eq!(remaining_seconds(100_000, 5_000, passed), Some(10));
        assert_eq!(remaining_seconds(100_001, 5_000, passed), Some(11));
        assert_eq!(remaining_seconds(0, 5_000, passed), Some(0));
        assert_eq!(remaining_seconds(100_000, 0, passed), None);
        assert_eq!(remaining_seconds(u64::MAX, 1, Duration::MAX), Some(u64::MAX));
    }

    #[test]
    fn an_estimate_is_at_least_a_second_and_without_a_speed_the_age() {
        let undoing =
            |rows_modified| Undoing::from(Transaction { rows_modified, seconds: 40, ..Transaction::default() });
        let estimate = |rows, undone| undoing(rows).estimated(undone, Duration::from_secs(1)).remaining_seconds;
        assert_eq!((estimate(100, 10), estimate(0, 10), estimate(100, 0)), (10, 1, 40));
    }
}
