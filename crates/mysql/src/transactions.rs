//! Open transactions.

use std::time::Duration;

use std::collections::HashMap;

use clew_model::{Limitation, LimitationKind, Session, Transaction};
use jiff::civil::DateTime;
use mysql_common::Row;
use mysql_common::prelude::FromRow;
use mysql_common::row::convert::FromRowError;
use tokio::time::sleep;

use crate::client::Error;
use crate::clock::{self, LocalAge};
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

/// Reads all open transactions, or what can be had of them. Doubtful ages become limitations of the connection.
pub(crate) async fn read(connection: &mut Connection) -> Result<Transactions, Error> {
    for attempt in 1..=TRIES {
        match connection.ask::<TransactionRow>(statements::TRANSACTIONS).await {
            Ok(rows) => return Ok(Transactions::Readable(with_ages(connection, rows).await?)),
            Err(Error::Server(error)) if error.code == PRIVILEGE_MISSING => {
                return Ok(Transactions::Hidden);
            }
            Err(Error::Server(error)) if error.code == CANNOT_CONVERT => {
                if attempt < TRIES {
                    sleep(PAUSE).await;
                }
            }
            Err(error) => return Err(error),
        }
    }
    clock::read(connection).await?;
    Ok(Transactions::FromStatus(from_status(connection).await?))
}

async fn from_status(connection: &mut Connection) -> Result<Vec<Transaction>, Error> {
    let status = connection.ask::<(Vec<u8>, Vec<u8>, Vec<u8>)>(statements::INNODB_STATUS).await?;
    let text = status.first().map(|(_, _, text)| String::from_utf8_lossy(text)).unwrap_or_default();
    Ok(innodb_status::transactions(&text))
}

/// Sets the ages, by the server's clock right after the rows were read.
async fn with_ages(connection: &mut Connection, rows: Vec<TransactionRow>) -> Result<Vec<Transaction>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let Some(clock) = clock::read(connection).await? else {
        connection.limitations.push(without_clock());
        return Ok(rows.into_iter().map(|row| row.transaction).collect());
    };
    let times = rows.iter().flat_map(|row| [row.started, row.wait_started]).flatten().collect();
    let ages = clock::ages(connection, &clock, times).await?;
    let age = |time: Option<DateTime>| time.and_then(|time| ages.get(&time)).copied();
    let is_ambiguous = |time| matches!(age(time), Some(LocalAge::Ambiguous(..)));
    let mut printed = HashMap::new();
    if rows.iter().any(|row| is_ambiguous(row.started) || is_ambiguous(row.wait_started)) {
        let listed = from_status(connection).await.unwrap_or_default();
        printed = listed.into_iter().map(|transaction| (transaction.session_id, transaction)).collect();
    }
    let mut doubts = Doubts::default();
    let mut transactions = Vec::with_capacity(rows.len());
    for row in rows {
        let mut transaction = row.transaction;
        let status = printed.get(&transaction.session_id);
        if let Some(age) = age(row.started) {
            transaction.seconds = doubts.seconds(age, status.map(|status| status.seconds));
        }
        if let Some(age) = age(row.wait_started) {
            let waited = status.and_then(|status| status.lock_wait_seconds);
            transaction.lock_wait_seconds = Some(doubts.seconds(age, waited));
        }
        transactions.push(transaction);
    }
    connection.limitations.extend(doubts.limitations());
    Ok(transactions)
}

/// Seconds that a local time of a transaction may be in the future: clocks of a server's threads differ by less.
const ROUNDED_SECONDS: i64 = 2;
/// Difference between an age and InnoDB's own statement of it, which is read a moment later.
const STATUS_SLACK: u64 = 60;

/// Ages of transactions that are not certain.
#[derive(Debug, Default)]
struct Doubts {
    negative: u64,
    ambiguous: u64,
}

impl Doubts {
    /// Whole seconds of an age. `printed` is what InnoDB's status says of it: that is of UTC.
    fn seconds(&mut self, age: LocalAge, printed: Option<u64>) -> u64 {
        let age = match age {
            LocalAge::Exact(age) => age,
            LocalAge::Ambiguous(later, earlier) => {
                let fits = |age: &i64| {
                    printed.is_some_and(|printed| {
                        u64::try_from(*age).is_ok_and(|age| age.abs_diff(printed) < STATUS_SLACK)
                    })
                };
                [later, earlier].into_iter().find(fits).unwrap_or_else(|| {
                    self.ambiguous += 1;
                    later
                })
            }
        };
        self.negative += u64::from(age < -ROUNDED_SECONDS);
        Session::believable_seconds(age.into())
    }

    fn limitations(&self) -> Vec<Limitation> {
        let of = |count, what: &str, why: &str| {
            (count > 0).then(|| Limitation {
                kind: LimitationKind::UnreliableAges,
                what: format!("{count} {what}"),
                why: why.to_owned(),
                remedy: None,
            })
        };
        let negative = of(
            self.negative,
            "durations of transactions are negative and are shown as 0.",
            "The transactions began in the future by the server's clock: the clock was set back since.",
        );
        let ambiguous = of(
            self.ambiguous,
            "durations of transactions may be an hour longer than shown.",
            "InnoDB prints local times, and daylight-saving time ended: the hour of the start occurred twice.",
        );
        negative.into_iter().chain(ambiguous).collect()
    }
}

fn without_clock() -> Limitation {
    Limitation {
        kind: LimitationKind::UnreliableAges,
        what: "Durations of transactions are shown as 0.".to_owned(),
        why: "The server did not return its time.".to_owned(),
        remedy: None,
    }
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

    /// Seconds that sessions have waited for a lock.
    pub(crate) fn lock_waits(&self) -> HashMap<u64, u64> {
        lock_waits(&self.0)
    }

    /// The transaction of a session.
    pub(crate) fn get(&self, session: u64) -> Option<&Transaction> {
        let after = self.0.partition_point(|transaction| transaction.session_id <= session);
        self.0.get(after.checked_sub(1)?).filter(|transaction| transaction.session_id == session)
    }
}

/// Seconds that sessions have waited for a lock.
pub(crate) fn lock_waits(transactions: &[Transaction]) -> HashMap<u64, u64> {
    let waits = |transaction: &Transaction| Some((transaction.session_id, transaction.lock_wait_seconds?));
    transactions.iter().filter_map(waits).collect()
}

/// A transaction whose ages are not yet known.
struct TransactionRow {
    transaction: Transaction,
    started: Option<DateTime>,
    wait_started: Option<DateTime>,
}

impl FromRow for TransactionRow {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        let (session_id, id, state, started, wait_started, rows_locked, tables_locked, rows_modified): (
            u64,
            u64,
            String,
            Option<String>,
            Option<String>,
            u64,
            u64,
            u64,
        ) = FromRow::from_row_opt(row)?;
        let transaction = Transaction {
            session_id,
            id,
            state: Transaction::state_of(state),
            seconds: 0,
            lock_wait_seconds: wait_started.as_ref().map(|_| 0),
            rows_locked,
            tables_locked: Some(tables_locked),
            rows_modified,
        };
        let time = |printed: Option<String>| clock::parse(&printed?);
        Ok(Self { transaction, started: time(started), wait_started: time(wait_started) })
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

    #[test]
    fn ambiguous_and_negative_ages_are_named() {
        let mut doubts = Doubts::default();
        let ambiguous = LocalAge::Ambiguous(60, 3660);
        assert_eq!(doubts.seconds(ambiguous, Some(3661)), 3660);
        assert_eq!(doubts.seconds(ambiguous, Some(61)), 60);
        assert_eq!(doubts.seconds(LocalAge::Exact(-1), None), 0);
        assert_eq!(doubts.limitations(), []);
        assert_eq!(doubts.seconds(ambiguous, None), 60);
        assert_eq!(doubts.seconds(LocalAge::Exact(-3600), None), 0);
        let kinds: Vec<_> = doubts.limitations().iter().map(|doubt| doubt.kind).collect();
        assert_eq!(kinds, [LimitationKind::UnreliableAges; 2]);
    }
}
