//! Open transactions.

use std::collections::HashMap;
use std::time::Duration;

use clew_model::{Session, Transaction};
use mysql_async::{FromRowError, Row, prelude::FromRow};
use tokio::time::sleep;

use crate::connection::Connection;
use crate::{innodb_status, statements};

/// Error of a read that needs the PROCESS privilege.
pub(crate) const PRIVILEGE_MISSING: u16 = 1227;

/// InnoDB's name for a transaction that is being rolled back.
pub(crate) const ROLLING_BACK: &str = "ROLLING BACK";

/// InnoDB's name for a transaction that waits.
pub(crate) const LOCK_WAIT: &str = "LOCK WAIT";

/// MySQL's error for text that `innodb_trx` cannot hold. Its column for statements knows characters of up to three bytes only, so
/// that one open transaction whose statement has an emoji makes the whole table unreadable (seen on 9.7.4).
pub(crate) const CANNOT_CONVERT: u16 = 3854;

/// What could be read of transactions.
#[derive(Debug)]
pub(crate) enum Transactions {
    /// All.
    Readable(Vec<Transaction>),
    /// The account lacks the privilege.
    Hidden,
    /// Those that InnoDB's status tells of: some statement of some transaction does not fit the table.
    FromStatus(Vec<Transaction>),
}

/// Tries against [`CANNOT_CONVERT`], and the pause between two: most statements are over soon.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// Reads all open transactions, or what can be had of them.
pub(crate) async fn read(connection: &mut Connection) -> Result<Transactions, mysql_async::Error> {
    for attempt in 1..=TRIES {
        match connection.ask::<TransactionRow>(statements::TRANSACTIONS).await {
            Ok(rows) => return Ok(Transactions::Readable(rows.into_iter().map(|row| row.0).collect())),
            Err(mysql_async::Error::Server(error)) if error.code == PRIVILEGE_MISSING => {
                return Ok(Transactions::Hidden);
            }
            Err(mysql_async::Error::Server(error)) if error.code == CANNOT_CONVERT => {
                if attempt < TRIES {
                    sleep(PAUSE).await;
                }
            }
            Err(error) => return Err(error),
        }
    }
    let status = connection.ask::<(Vec<u8>, Vec<u8>, Vec<u8>)>(statements::INNODB_STATUS).await?;
    let text = status.first().map(|(_, _, text)| String::from_utf8_lossy(text)).unwrap_or_default();
    Ok(Transactions::FromStatus(innodb_status::transactions(&text)))
}

/// By thread id.
pub(crate) fn by_session(transactions: Vec<Transaction>) -> HashMap<u64, Transaction> {
    transactions.into_iter().map(|transaction| (transaction.session_id, transaction)).collect()
}

struct TransactionRow(Transaction);

impl FromRow for TransactionRow {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        let (session_id, id, state, age, wait, rows_locked, tables_locked, rows_modified): (
            u64,
            u64,
            String,
            Option<i64>,
            Option<i64>,
            u64,
            u64,
            u64,
        ) = FromRow::from_row_opt(row)?;
        let seconds = |printed: i64| Session::believable_seconds(printed.into());
        Ok(Self(Transaction {
            session_id,
            id,
            state: state.into_boxed_str(),
            seconds: age.map_or(0, seconds),
            lock_wait_seconds: wait.map(seconds),
            rows_locked,
            tables_locked: Some(tables_locked),
            rows_modified,
        }))
    }
}
