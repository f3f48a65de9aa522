//! Waits for InnoDB's locks, of MariaDB.

use std::collections::{HashMap, HashSet};

use clew_diagnose::waits::LockedObject;
use clew_model::{Failure, Transaction};

use super::LOCK_WAIT;
use super::mysql::{Owner, ReadWait};
use super::text::{table, text};
use crate::connection::Connection;
use crate::statements;

/// A row of `innodb_lock_waits`: transaction and lock of who asks, then of who is in the way.
type WaitRow = (u64, Vec<u8>, u64, Vec<u8>);
/// A row of `innodb_locks`: id, mode, type, table, index, data.
type LockRow = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// All waits. A transaction that only reads has no number: those that wait are told apart by the lock that they ask for, and all
/// who ask for the same wait for the same.
pub(super) async fn row_waits(
    connection: &mut Connection,
    transactions: &[Transaction],
) -> Result<Vec<ReadWait>, Failure> {
    let rows: Vec<WaitRow> = match connection.ask(statements::ROW_WAITS_MARIADB).await {
        Ok(rows) => rows,
        // Without PROCESS; that it is missing was said where transactions were read.
        Err(mysql_async::Error::Server(error)) if error.code == crate::transactions::PRIVILEGE_MISSING => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(connection.failed(&error)),
    };
    let locks: Vec<LockRow> =
        connection.ask(statements::LOCKS_MARIADB).await.map_err(|error| connection.failed(&error))?;
    let locks: HashMap<Vec<u8>, LockedObject> = locks.into_iter().map(lock).collect();
    let unnumbered = unnumbered_waiters(connection, transactions).await?;
    let numbered: HashMap<u64, u64> = transactions
        .iter()
        .filter(|transaction| transaction.id != 0 && transaction.session_id != 0)
        .map(|transaction| (transaction.id, transaction.session_id))
        .collect();
    let owner = |transaction| Owner { transaction, thread: None, session: numbered.get(&transaction).copied() };
    let mut waits = Vec::new();
    let mut met = HashSet::new();
    for (asks, asked, holds, held) in rows {
        if !met.insert((asks, asked.clone(), holds)) {
            continue;
        }
        let waiters = match unnumbered.get(&asked).filter(|_| asks == 0) {
            Some(sessions) => sessions.iter().map(|&session| Owner { session: Some(session), ..owner(0) }).collect(),
            None => vec![owner(asks)],
        };
        for waiting in waiters {
            let lock = locks.get(&asked).cloned().unwrap_or_default();
            let held_mode = locks.get(&held).map(|lock| lock.mode.clone());
            waits.push(ReadWait::new(waiting, owner(holds), lock, held_mode));
        }
    }
    Ok(waits)
}

async fn unnumbered_waiters(
    connection: &mut Connection,
    transactions: &[Transaction],
) -> Result<HashMap<Vec<u8>, Vec<u64>>, Failure> {
    let mut waiters: HashMap<Vec<u8>, Vec<u64>> = HashMap::new();
    if !transactions.iter().any(|transaction| transaction.id == 0 && &*transaction.state == LOCK_WAIT) {
        return Ok(waiters);
    }
    let rows: Vec<(u64, Vec<u8>)> =
        connection.ask(statements::UNNUMBERED_WAITERS).await.map_err(|error| connection.failed(&error))?;
    for (session, lock) in rows {
        waiters.entry(lock).or_default().push(session);
    }
    Ok(waiters)
}

fn lock((id, mode, kind, printed, index, data): LockRow) -> (Vec<u8>, LockedObject) {
    let (schema, table) = table(&text(printed));
    let object = LockedObject {
        schema,
        table,
        index: index.map(text),
        mode: text(mode),
        whole_table: kind == b"TABLE",
        data: data.map(text),
    };
    (id, object)
}
