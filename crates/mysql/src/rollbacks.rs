//! Reads the progress of rollbacks and estimates the remaining time.
//!
//! During a rollback, InnoDB decrements `trx_rows_modified`, the transaction's count of modified rows.
//! Clew computes the rollback speed and the remaining time from two samples of the modified row count.
//! A rollback is slower for tables with many indexes and for rows that are not in memory.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clew_model::{Failure, NodeUrl, Session, Transaction};
use tokio::time::sleep;

use crate::clock::{self, TimestampAge};
use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::transactions::{self, TransactionList, UNREADABLE_TRANSACTIONS_ERROR_CODES};
use crate::{privileges, sql_statements};

/// The interval between rollback samples exceeds [`transactions::INNODB_TRX_REFRESH_INTERVAL`], so each sample reads new data.
/// If another client reads `innodb_trx` continuously, InnoDB does not refresh the table, so all samples are identical.
const ROLLBACK_SAMPLE_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of rollback samples. After two samples, Clew takes more only if a rollback made no progress.
const MAX_ROLLBACK_SAMPLES: u32 = 4;

/// Transaction that the server is rolling back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Transaction id.
    pub transaction_id: u64,
    /// Session id, or 0 for a transaction that is being rolled back after a server restart.
    /// On MySQL, the process list can omit the session of a transaction that the server is rolling back.
    pub session_id: u64,
    /// First 1,024 bytes of the statement that the session is running, or `None` if the statement is unknown.
    pub statement: Option<Vec<u8>>,
    /// Start time of the transaction in the server's time zone, such as `2026-11-24 18:00:00`.
    /// `started` is empty if the server reports only the age of the transaction.
    pub started: String,
    /// Number of modified rows that the server has not rolled back yet.
    pub rows_modified: u64,
    /// Estimated number of seconds until the rollback completes, at least 1.
    /// If no rows were rolled back between two samples, Clew uses the age of the transaction as a rough estimate.
    pub remaining_seconds: u64,
}

/// Reads the rollbacks in progress on a node, sorted by transaction id.
/// `wanted` contains transaction ids that limit the result. If `wanted` is `None`, returns all rollbacks.
///
/// If the server is rolling back transactions, the function takes 0.25 s to 1 s to sample their progress.
/// Fails if the account lacks the PROCESS privilege. The returned `Failure` contains the required `GRANT` statement.
pub async fn read_rollbacks(
    node: &NodeUrl,
    wanted: Option<&[u64]>,
    connector: &NodeConnector,
) -> Result<Vec<Rollback>, Failure> {
    Connection::run(node, connector, "reading rollbacks", async |connection| {
        let first = RollbackSample::read_rollback_sample(connection, wanted).await?;
        let mut last = first.clone();
        for _ in 1..MAX_ROLLBACK_SAMPLES {
            if last.rollbacks.iter().all(|rollback| first.count_rows_rolled_back(rollback) > 0) {
                break;
            }
            sleep(ROLLBACK_SAMPLE_INTERVAL).await;
            last = RollbackSample::read_rollback_sample(connection, wanted).await?;
        }
        let passed = last.read_at.duration_since(first.read_at);
        let mut rollbacks = last.rollbacks;
        for rollback in &mut rollbacks {
            set_remaining_seconds(rollback, first.count_rows_rolled_back(rollback), passed);
        }
        rollbacks.sort_by_key(|rollback| (rollback.transaction_id, rollback.session_id));
        Ok(rollbacks)
    })
    .await
}

#[derive(Clone)]
struct RollbackSample {
    read_at: Instant,
    /// Rollbacks without an estimate of the remaining time; `remaining_seconds` contains the transaction age instead.
    rollbacks: Vec<Rollback>,
}

impl RollbackSample {
    async fn read_rollback_sample(connection: &mut Connection, wanted: Option<&[u64]>) -> Result<Self, Failure> {
        let mut rollbacks = read_rollbacks_with_ages(connection).await?;
        rollbacks.retain(|rollback| wanted.is_none_or(|wanted| wanted.contains(&rollback.transaction_id)));
        Ok(Self { read_at: Instant::now(), rollbacks })
    }

    fn count_rows_rolled_back(&self, now: &Rollback) -> u64 {
        // Transaction ids are unique within a server.
        let before = self.rollbacks.iter().find(|before| before.transaction_id == now.transaction_id);
        before.map_or(0, |before| before.rows_modified.saturating_sub(now.rows_modified))
    }
}

/// Updates `remaining_seconds`. If `rows_undone` is 0, keeps the initial estimate, which is the transaction's age.
fn set_remaining_seconds(rollback: &mut Rollback, rows_undone: u64, passed: Duration) {
    let estimate = estimate_remaining_seconds(rollback.rows_modified, rows_undone, passed);
    rollback.remaining_seconds = estimate.unwrap_or(rollback.remaining_seconds).max(1);
}

/// Estimates the remaining time of a rollback. Returns `None` if `rows_undone` is 0.
fn estimate_remaining_seconds(rows: u64, rows_undone: u64, passed: Duration) -> Option<u64> {
    if rows_undone == 0 {
        return None;
    }
    let milliseconds = u128::from(rows).saturating_mul(passed.as_millis()).div_ceil(rows_undone.into());
    Some(u64::try_from(milliseconds.div_ceil(1000)).unwrap_or(u64::MAX))
}

/// Reads the rollbacks from `innodb_trx`, or from the InnoDB status if `innodb_trx` is unreadable.
/// Sets each rollback's `remaining_seconds` to the age of its transaction as a preliminary value.
async fn read_rollbacks_with_ages(connection: &mut Connection) -> Result<Vec<Rollback>, Failure> {
    let (query, expected) = (sql_statements::ROLLBACKS_QUERY, &UNREADABLE_TRANSACTIONS_ERROR_CODES);
    if let Ok(rows) = connection.read_rows_or_error_code(query, expected).await? {
        return rollbacks_from_rows(connection, rows).await;
    }
    match transactions::read_transactions(connection).await? {
        TransactionList::Readable(all) | TransactionList::FromStatus(all) => {
            Ok(all.iter().filter(|open| open.is_rolling_back()).map(rollback_from_transaction).collect())
        }
        TransactionList::Hidden => {
            Err(privileges::missing_privilege_failure(connection, "read transactions", "PROCESS").await?)
        }
    }
}

fn rollback_from_transaction(transaction: &Transaction) -> Rollback {
    Rollback {
        transaction_id: transaction.id,
        session_id: transaction.session_id,
        statement: None,
        started: String::new(),
        rows_modified: transaction.rows_modified,
        remaining_seconds: transaction.seconds,
    }
}

/// If daylight saving time makes a transaction's start time ambiguous, uses the smaller of the two possible ages.
async fn rollbacks_from_rows(connection: &mut Connection, rows: Vec<RollbackRow>) -> Result<Vec<Rollback>, Failure> {
    let clock = if rows.is_empty() { None } else { connection.read_clock().await? };
    let started = |row: &RollbackRow| clock::parse_local_time(&row.3);
    let ages = match &clock {
        Some(clock) => {
            let times = rows.iter().filter_map(started).collect();
            connection.compute_timestamp_ages(clock, times).await?
        }
        None => HashMap::new(),
    };
    let age = |row: &RollbackRow| match started(row).and_then(|time| ages.get(&time)) {
        Some(TimestampAge::Exact(age) | TimestampAge::Ambiguous(age, _)) => {
            Session::sanitize_duration_seconds((*age).into())
        }
        None => 0,
    };
    let rollback = |row: RollbackRow| {
        let remaining_seconds = age(&row);
        let (transaction_id, session_id, statement, started, rows_modified) = row;
        Rollback { transaction_id, session_id, statement, started, rows_modified, remaining_seconds }
    };
    Ok(rows.into_iter().map(rollback).collect())
}

/// Row of `innodb_trx`: transaction id, session id, statement, start time, and modified row count.
type RollbackRow = (u64, u64, Option<Vec<u8>>, String, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time_follows_the_measured_speed() {
        let passed = Duration::from_millis(500);
        assert_eq!(estimate_remaining_seconds(100_000, 5_000, passed), Some(10));
        assert_eq!(estimate_remaining_seconds(100_001, 5_000, passed), Some(11));
        assert_eq!(estimate_remaining_seconds(0, 5_000, passed), Some(0));
        assert_eq!(estimate_remaining_seconds(100_000, 0, passed), None);
        assert_eq!(estimate_remaining_seconds(u64::MAX, 1, Duration::MAX), Some(u64::MAX));
    }

    #[test]
    fn estimate_is_at_least_one_second_and_defaults_to_the_age() {
        let estimate = |rows_modified, rows_undone| {
            let transaction = Transaction { rows_modified, seconds: 40, ..Transaction::default() };
            let mut rollback = rollback_from_transaction(&transaction);
            set_remaining_seconds(&mut rollback, rows_undone, Duration::from_secs(1));
            rollback.remaining_seconds
        };
        assert_eq!((estimate(100, 10), estimate(0, 10), estimate(100, 0)), (10, 1, 40));
    }
}
