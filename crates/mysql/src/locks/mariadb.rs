//! Waits for InnoDB's locks, of MariaDB.

use std::collections::{HashMap, HashSet};

use clew_diagnose::waits::{LockStatus, LockedObject, MetadataKind, MetadataLock, RowWait};
use clew_model::{Failure, Transaction};

use super::read_wait::{Owner, ReadWait};
use super::text::{table, text};
use crate::connection::Connection;
use crate::statements;
use crate::transactions::PRIVILEGE_MISSING;

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
        Err(crate::client::Error::Server(error)) if error.code == PRIVILEGE_MISSING => {
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

/// Names blockers without a number. Many transactions may have none; whoever has a lock on a row has the table's definition too, and
/// if that is only one of them, it is the one. Nobody is named where the definitions of one of them are not known: they may have been
/// taken before the server began to record them.
pub(super) fn name_readers(waits: &mut [RowWait], transactions: &[Transaction], locks: &[MetadataLock]) {
    let readers: HashSet<u64> = transactions
        .iter()
        .filter(|transaction| transaction.id == 0 && transaction.rows_locked > 0)
        .map(|transaction| transaction.session_id)
        .collect();
    let mut by_table: HashMap<(&str, &str), HashSet<u64>> = HashMap::new();
    for lock in locks.iter().filter(|lock| lock.status == LockStatus::Granted) {
        let session = lock.session.filter(|session| readers.contains(session));
        let (MetadataKind::Table, Some(schema), Some(table), Some(session)) =
            (&lock.object.kind, &lock.object.schema, &lock.object.name, session)
        else {
            continue;
        };
        by_table.entry((schema, table)).or_default().insert(session);
    }
    if readers.iter().any(|reader| !by_table.values().any(|sessions| sessions.contains(reader))) {
        return;
    }
    for wait in waits.iter_mut().filter(|wait| wait.blocking.transaction == 0 && wait.blocking.session.is_none()) {
        let (Some(schema), Some(table)) = (&wait.lock.schema, &wait.lock.table) else { continue };
        let on_table = by_table.get(&(schema.as_str(), table.as_str()));
        let mut others = on_table.into_iter().flatten().filter(|&&session| wait.waiting.session != Some(session));
        if let (Some(&only), None) = (others.next(), others.next()) {
            wait.blocking.session = Some(only);
        }
    }
}

async fn unnumbered_waiters(
    connection: &mut Connection,
    transactions: &[Transaction],
) -> Result<HashMap<Vec<u8>, Vec<u64>>, Failure> {
    let mut waiters: HashMap<Vec<u8>, Vec<u64>> = HashMap::new();
    if !transactions.iter().any(|transaction| transaction.id == 0 && transaction.waits_for_a_lock()) {
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

#[cfg(test)]
mod tests {
    use clew_diagnose::waits::{LockOwner, MetadataMode, MetadataObject};

    use super::*;

    fn named(held: &[(u64, &str)]) -> Option<u64> {
        let transactions: Vec<Transaction> =
            [1, 2].map(|session_id| Transaction { session_id, rows_locked: 1, ..Transaction::default() }).into();
        let lock = |&(session, table): &(u64, &str)| MetadataLock {
            object: MetadataObject::new(MetadataKind::Table, Some("shop".into()), Some(table.into())),
            mode: MetadataMode::SharedRead,
            status: LockStatus::Granted,
            session: Some(session),
        };
        let lock_on = LockedObject { schema: Some("shop".into()), table: Some("t".into()), ..LockedObject::default() };
        let mut waits = [RowWait {
            waiting: LockOwner { transaction: 9, session: Some(9) },
            blocking: LockOwner::default(),
            lock: lock_on,
            held_mode: None,
        }];
        name_readers(&mut waits, &transactions, &held.iter().map(lock).collect::<Vec<_>>());
        waits[0].blocking.session
    }

    #[test]
    fn a_reader_is_named_only_where_it_can_be_no_other() {
        assert_eq!(named(&[(1, "t"), (2, "s")]), Some(1));
        assert_eq!(named(&[(1, "t"), (1, "s"), (2, "s"), (2, "t")]), None, "both could be it");
        assert_eq!(named(&[(1, "t")]), None, "nothing is known of the other");
        assert_eq!(
            named(&[(1, "t"), (2, "s"), (9, "t"), (3, "t")]),
            Some(1),
            "neither the waiter nor one with a number"
        );
        assert_eq!(named(&[]), None);
    }
}
