//! Reads open transactions and computes their ages.

use std::time::Duration;

use std::collections::HashMap;

use clew_model::{Failure, Limitation, Session, Transaction};
use jiff::civil::DateTime;
use mysql_common::Row;
use mysql_common::prelude::FromRow;
use mysql_common::row::convert::FromRowError;
use tokio::time::sleep;

use crate::clock::{self, TimestampAge};
use crate::connection::Connection;
use crate::{innodb_status, limitations, privileges, sql_statements};
use sql_statements::{ER_CANNOT_CONVERT_STRING, ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_UNKNOWN_TABLE};

/// Reads the open transactions. If transactions are hidden or incomplete, appends a note about them to `limitations`.
/// `account` is Clew's database account, or `None` if Clew has not read the account yet.
pub(crate) async fn read_visible_transactions(
    connection: &mut Connection,
    account: Option<&str>,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<Transaction>, Failure> {
    match read_transactions(connection).await? {
        TransactionList::Readable(transactions) => Ok(transactions),
        TransactionList::Hidden => {
            limitations.extend(match account {
                Some(account) => limitations::describe_missing_process_privilege(account),
                None => limitations::describe_missing_process_privilege(
                    &privileges::read_current_account(connection).await?,
                ),
            });
            Ok(Vec::new())
        }
        TransactionList::FromStatus(transactions) => {
            limitations.push(limitations::describe_incomplete_transactions());
            Ok(transactions)
        }
    }
}

#[derive(Debug)]
pub(crate) enum TransactionList {
    Readable(Vec<Transaction>),
    /// The server hides all transactions, because the account lacks the PROCESS privilege.
    Hidden,
    /// `innodb_trx` is unreadable. The transactions were read from `SHOW ENGINE INNODB STATUS` instead.
    FromStatus(Vec<Transaction>),
}

/// InnoDB refreshes the cached data of `innodb_trx` only if 0.1 s have passed since the last read by any client.
pub(crate) const INNODB_TRX_REFRESH_INTERVAL: Duration = Duration::from_millis(120);

/// Maximum number of attempts to read the transactions if the server returns [`ER_CANNOT_CONVERT_STRING`].
const MAX_TRANSACTION_READ_ATTEMPTS: u32 = 3;

/// Error codes that the server returns if a query cannot read `innodb_trx`.
pub(crate) const UNREADABLE_TRANSACTIONS_ERROR_CODES: [u16; 3] =
    [ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_CANNOT_CONVERT_STRING, ER_UNKNOWN_TABLE];

/// If all attempts to read `innodb_trx` fail with [`ER_CANNOT_CONVERT_STRING`], reads the InnoDB status instead.
/// Adds a note to `connection.limitations` if the age of a transaction is ambiguous or negative.
pub(crate) async fn read_transactions(connection: &mut Connection) -> Result<TransactionList, Failure> {
    let (query, expected) = (sql_statements::TRANSACTIONS_QUERY, &UNREADABLE_TRANSACTIONS_ERROR_CODES);
    for attempt in 1..=MAX_TRANSACTION_READ_ATTEMPTS {
        match connection.read_rows_or_error_code(query, expected).await? {
            Ok(rows) => return Ok(TransactionList::Readable(compute_transaction_ages(connection, rows).await?)),
            Err(ER_SPECIFIC_ACCESS_DENIED_ERROR) => return Ok(TransactionList::Hidden),
            // InnoDB is disabled, so no transaction exists.
            Err(ER_UNKNOWN_TABLE) => return Ok(TransactionList::Readable(Vec::new())),
            Err(_) if attempt < MAX_TRANSACTION_READ_ATTEMPTS => sleep(INNODB_TRX_REFRESH_INTERVAL).await,
            Err(_) => {}
        }
    }
    connection.read_clock().await?;
    Ok(TransactionList::FromStatus(read_transactions_from_innodb_status(connection).await?))
}

async fn read_transactions_from_innodb_status(connection: &mut Connection) -> Result<Vec<Transaction>, Failure> {
    let status = connection.read_rows::<(Vec<u8>, Vec<u8>, Vec<u8>)>(sql_statements::INNODB_STATUS_QUERY).await?;
    let text = status.first().map(|(_, _, text)| String::from_utf8_lossy(text)).unwrap_or_default();
    Ok(innodb_status::parse_transactions(&text))
}

async fn compute_transaction_ages(
    connection: &mut Connection,
    rows: Vec<TransactionRow>,
) -> Result<Vec<Transaction>, Failure> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let Some(clock) = connection.read_clock().await? else {
        connection.limitations.push(limitations::describe_unreadable_clock());
        return Ok(rows.into_iter().map(|row| row.transaction).collect());
    };
    let times = rows.iter().flat_map(|row| [row.started, row.wait_started]).flatten().collect();
    let ages = connection.compute_timestamp_ages(&clock, times).await?;
    let age = |time: Option<DateTime>| time.and_then(|time| ages.get(&time)).copied();
    let is_ambiguous = |time| matches!(age(time), Some(TimestampAge::Ambiguous(..)));
    let mut printed = HashMap::new();
    if rows.iter().any(|row| is_ambiguous(row.started) || is_ambiguous(row.wait_started)) {
        let listed = read_transactions_from_innodb_status(connection).await.unwrap_or_default();
        printed = listed.into_iter().map(|transaction| (transaction.session_id, transaction)).collect();
    }
    let mut uncertain_ages = TransactionAgeResolver::default();
    let mut transactions = Vec::with_capacity(rows.len());
    for row in rows {
        let mut transaction = row.transaction;
        let status = printed.get(&transaction.session_id);
        if let Some(age) = age(row.started) {
            transaction.seconds = uncertain_ages.choose_transaction_age(age, status.map(|status| status.seconds));
        }
        if let Some(age) = age(row.wait_started) {
            let waited = status.and_then(|status| status.lock_wait_seconds);
            transaction.lock_wait_seconds = Some(uncertain_ages.choose_transaction_age(age, waited));
        }
        transactions.push(transaction);
    }
    connection.limitations.extend(uncertain_ages.describe_uncertain_transaction_ages());
    Ok(transactions)
}

/// Maximum number of seconds by which a transaction's start time may exceed the server's current time.
const FUTURE_START_TIME_TOLERANCE_SECONDS: i64 = 2;
/// Tolerance, in seconds, for the difference between a computed transaction age and the age in the InnoDB status.
const TRANSACTION_AGE_TOLERANCE_SECONDS: u64 = 60;

#[derive(Debug, Default)]
struct TransactionAgeResolver {
    negative: u64,
    ambiguous: u64,
}

impl TransactionAgeResolver {
    /// `printed` is the transaction age in the InnoDB status report, or `None` if unknown.
    /// If `age` has two possible values, returns the value that is close to the age in the InnoDB status report.
    /// If neither possible transaction age is close to the age in the InnoDB status report, returns the smaller age.
    fn choose_transaction_age(&mut self, age: TimestampAge, printed: Option<u64>) -> u64 {
        let age = match age {
            TimestampAge::Exact(age) => age,
            TimestampAge::Ambiguous(later, earlier) => {
                let fits = |age: &i64| {
                    printed.is_some_and(|printed| {
                        u64::try_from(*age).is_ok_and(|age| age.abs_diff(printed) < TRANSACTION_AGE_TOLERANCE_SECONDS)
                    })
                };
                [later, earlier].into_iter().find(fits).unwrap_or_else(|| {
                    self.ambiguous += 1;
                    later
                })
            }
        };
        self.negative += u64::from(age < -FUTURE_START_TIME_TOLERANCE_SECONDS);
        Session::sanitize_duration_seconds(age.into())
    }

    fn describe_uncertain_transaction_ages(&self) -> Vec<Limitation> {
        let negative = (self.negative > 0).then(|| limitations::describe_negative_transaction_durations(self.negative));
        let ambiguous =
            (self.ambiguous > 0).then(|| limitations::describe_ambiguous_transaction_durations(self.ambiguous));
        negative.into_iter().chain(ambiguous).collect()
    }
}

/// Transactions sorted by session id. The sorted list takes two-thirds of the memory of a hash map.
#[derive(Debug, Default)]
pub(crate) struct TransactionsBySession(pub(crate) Vec<Transaction>);

impl TransactionsBySession {
    /// A session can have two transactions during DDL. [`Self::get`] returns the one that is later in `transactions`.
    pub(crate) fn new(mut transactions: Vec<Transaction>) -> Self {
        transactions.sort_by_key(|transaction| transaction.session_id);
        transactions.shrink_to_fit();
        Self(transactions)
    }

    pub(crate) fn get(&self, session: u64) -> Option<&Transaction> {
        let after = self.0.partition_point(|transaction| transaction.session_id <= session);
        self.0.get(after.checked_sub(1)?).filter(|transaction| transaction.session_id == session)
    }
}

/// Returns a map from session ids to the durations of InnoDB lock waits in seconds.
pub(crate) fn lock_wait_durations(transactions: &[Transaction]) -> HashMap<u64, u64> {
    let waits = |transaction: &Transaction| Some((transaction.session_id, transaction.lock_wait_seconds?));
    transactions.iter().filter_map(waits).collect()
}

/// Row of `innodb_trx` with timestamps in the server's local time.
struct TransactionRow {
    transaction: Transaction,
    started: Option<DateTime>,
    wait_started: Option<DateTime>,
}

impl FromRow for TransactionRow {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        type Columns = (u64, u64, String, Option<String>, Option<String>, u64, u64, u64);
        let (session_id, id, state, started, wait_started, rows_locked, tables_locked, rows_modified) =
            Columns::from_row_opt(row)?;
        let transaction = Transaction {
            session_id,
            id,
            state: Transaction::intern_transaction_state(state),
            seconds: 0,
            lock_wait_seconds: wait_started.as_ref().map(|_| 0),
            rows_locked,
            tables_locked: Some(tables_locked),
            rows_modified,
        };
        let time = |printed: Option<String>| clock::parse_local_time(&printed?);
        Ok(Self { transaction, started: time(started), wait_started: time(wait_started) })
    }
}

#[cfg(test)]
mod tests {
    use clew_model::LimitationKind;

    use super::*;

    #[test]
    fn session_has_its_latest_transaction() {
        let transaction = |session_id, id| Transaction { session_id, id, ..Transaction::default() };
        let found = TransactionsBySession::new(vec![
            transaction(9, 1),
            transaction(4, 2),
            transaction(9, 3),
            transaction(6, 4),
        ]);
        let ids = [3, 4, 5, 6, 9, 10].map(|session| found.get(session).map(|transaction| transaction.id));
        assert_eq!(ids, [None, Some(2), None, Some(4), Some(3), None]);
        assert_eq!(TransactionsBySession::default().get(1), None);
    }

    #[test]
    fn ambiguous_and_negative_ages_become_limitations() {
        let mut uncertain_ages = TransactionAgeResolver::default();
        let ambiguous = TimestampAge::Ambiguous(60, 3660);
        assert_eq!(uncertain_ages.choose_transaction_age(ambiguous, Some(3661)), 3660);
        assert_eq!(uncertain_ages.choose_transaction_age(ambiguous, Some(61)), 60);
        assert_eq!(uncertain_ages.choose_transaction_age(TimestampAge::Exact(-1), None), 0);
        assert_eq!(uncertain_ages.describe_uncertain_transaction_ages(), []);
        assert_eq!(uncertain_ages.choose_transaction_age(ambiguous, None), 60);
        assert_eq!(uncertain_ages.choose_transaction_age(TimestampAge::Exact(-3600), None), 0);
        let kinds: Vec<_> =
            uncertain_ages.describe_uncertain_transaction_ages().iter().map(|limitation| limitation.kind).collect();
        assert_eq!(kinds, [LimitationKind::UnreliableAges; 2]);
    }
}
