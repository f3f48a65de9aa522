//! Open transactions.

use std::time::Duration;

use clew_model::{Session, Transaction};
use mysql_common::Row;
use mysql_common::prelude::FromRow;
use mysql_common::row::convert::FromRowError;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::{innodb_status, statements};

/// Error of a read that needs the PROCESS privilege.
pub(crate) const PRIVILEGE_MISSING: u16 = 1227;

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
pub(crate) async fn read(connection: &mut Connection) -> Result<Transactions, crate::client::Error> {
    for attempt in 1..=TRIES {
        match connection.ask::<TransactionRow>(statements::TRANSACTIONS).await {
            Ok(rows) => return Ok(Transactions::Readable(rows.into_iter().map(|row| row.0).collect())),
            Err(crate::client::Error::Server(error)) if error.code == PRIVILEGE_MISSING => {
                return Ok(Transactions::Hidden);
            }
            Err(crate::client::Error::Server(error)) if error.code == CANNOT_CONVERT => {
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

/// Transactions by thread id. A sorted list: it takes two thirds of what a hash map would.
#[derive(Debug, Default)]
pub(crate) struct BySession(Vec<Transaction>);

impl BySession {
    /// Of two of a session, as a change of definition has, the later one counts.
    pub(crate) fn new(mut transactions: Vec<Transaction>) -> Self {
        transactions.sort_by_key(|transaction| transaction.session_id);
        transactions.shrink_to_fit();
        Self(transactions)
    }

    /// The transaction of a session.
    pub(crate) fn get(&self, session: u64) -> Option<&Transaction> {
        let after = self.0.partition_point(|transaction| transaction.session_id <= session);
        self.0.get(after.checked_sub(1)?).filter(|transaction| transaction.session_id == session)
    }
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
            state: Transaction::state_of(state),
            seconds: age.map_or(0, seconds),
            lock_wait_seconds: wait.map(seconds),
            rows_locked,
            tables_locked: Some(tables_locked),
            rows_modified,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_its_own_transaction_and_of_two_the_later() {
        let transaction = |session_id, id| Transaction { session_id, id, ..Transaction::default() };
        let found = BySession::new(vec![transaction(9, 1), transaction(4, 2), transaction(9, 3), transaction(6, 4)]);
        let ids = [3, 4, 5, 6, 9, 10].map(|session| found.get(session).map(|transaction| transaction.id));
        assert_eq!(ids, [None, Some(2), None, Some(4), Some(3), None]);
        assert_eq!(BySession::default().get(1), None);
    }
}
