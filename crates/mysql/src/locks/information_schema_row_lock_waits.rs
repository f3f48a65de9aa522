//! Reads InnoDB lock waits from information_schema (MariaDB and MySQL before 8.0).

use std::collections::{HashMap, HashSet};

use clew_diagnose::lock_waits::{InnoDbLockWait, LockOwner, LockStatus, MetadataLock, MetadataLockObjectKind};
use clew_model::{Failure, Transaction};

use super::identifiers::{InnoDbLock, build_innodb_lock, decode_text_column, parse_table_name};
use crate::connection::Connection;
use crate::sql_statements;
use crate::sql_statements::{ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_UNKNOWN_TABLE};

/// Row of `innodb_lock_waits`: waiting transaction id, requested lock id, blocking transaction id, blocking lock id.
type WaitRow = (u64, Vec<u8>, u64, Vec<u8>);
/// Row of `innodb_locks`: lock id, lock mode, lock type, table, index, and locked data.
type LockRow = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Clew identifies a waiting read-only transaction, which has no id, by the requested lock.
/// All transactions that request the same row lock are waiting for the same blockers.
pub(super) async fn read_row_lock_waits(
    connection: &mut Connection,
    transactions: &[Transaction],
) -> Result<Vec<InnoDbLockWait>, Failure> {
    let query = sql_statements::INFORMATION_SCHEMA_LOCK_WAITS_QUERY;
    let expected = [ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_UNKNOWN_TABLE];
    let rows = connection.read_rows_or_error_code::<WaitRow>(query, &expected).await?;
    // The account lacks the PROCESS privilege (`read_visible_transactions` added the limitation), InnoDB is disabled,
    // or the release has the lock waits only in performance_schema.
    let Ok(rows) = rows else { return Ok(Vec::new()) };
    let locks: Vec<LockRow> = connection.read_rows(sql_statements::INFORMATION_SCHEMA_ROW_LOCKS_QUERY).await?;
    let locks: HashMap<Vec<u8>, InnoDbLock> = locks.into_iter().map(parse_lock_row).collect();
    let unnumbered = find_waiting_read_only_transactions(connection, transactions).await?;
    let numbered: HashMap<u64, u64> = transactions
        .iter()
        .filter(|transaction| transaction.id != 0 && transaction.session_id != 0)
        .map(|transaction| (transaction.id, transaction.session_id))
        .collect();
    let owner = |transaction| LockOwner { transaction, session: numbered.get(&transaction).copied() };
    let mut waits = Vec::new();
    let mut unique = HashSet::new();
    for (waiting_transaction, requested_lock, blocking_transaction, held_lock) in rows {
        if !unique.insert((waiting_transaction, requested_lock.clone(), blocking_transaction)) {
            continue;
        }
        let waiters = match unnumbered.get(&requested_lock).filter(|_| waiting_transaction == 0) {
            Some(sessions) => {
                sessions.iter().map(|&session| LockOwner { session: Some(session), transaction: 0 }).collect()
            }
            None => vec![owner(waiting_transaction)],
        };
        for waiting in waiters {
            let (on, mode) = locks.get(&requested_lock).cloned().unwrap_or_default();
            let held_mode = locks.get(&held_lock).map(|(_, mode)| mode.clone());
            let blocking = owner(blocking_transaction);
            waits.push(InnoDbLockWait { waiting, blocking, on, mode, held_mode });
        }
    }
    Ok(waits)
}

/// Identifies read-only transactions that hold requested row locks. MariaDB reports 0 as the id of these transactions.
///
/// A transaction that holds a row lock also holds a metadata lock on the row's table.
/// If only one read-only transaction has a metadata lock on the table of the locked row, that transaction is the blocker.
/// If the metadata locks of any read-only transaction are unknown, the function does not identify blockers.
/// performance_schema does not list metadata locks that were granted before the metadata lock instrument was enabled.
pub(super) fn identify_blocking_read_only_transactions(
    waits: &mut [InnoDbLockWait],
    transactions: &[Transaction],
    locks: &[MetadataLock],
) {
    let readers: HashSet<u64> = transactions
        .iter()
        .filter(|transaction| transaction.id == 0 && transaction.rows_locked > 0)
        .map(|transaction| transaction.session_id)
        .collect();
    let mut by_table: HashMap<(&str, &str), HashSet<u64>> = HashMap::new();
    for lock in locks.iter().filter(|lock| lock.status == LockStatus::Granted) {
        let session = lock.session.filter(|session| readers.contains(session));
        let (MetadataLockObjectKind::Table, Some(schema), Some(table), Some(session)) =
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
        let (Some(schema), Some(table)) = (&wait.on.schema, &wait.on.name) else { continue };
        let on_table = by_table.get(&(schema.as_str(), table.as_str()));
        let mut others = on_table.into_iter().flatten().filter(|&&session| wait.waiting.session != Some(session));
        if let (Some(&only), None) = (others.next(), others.next()) {
            wait.blocking.session = Some(only);
        }
    }
}

async fn find_waiting_read_only_transactions(
    connection: &mut Connection,
    transactions: &[Transaction],
) -> Result<HashMap<Vec<u8>, Vec<u64>>, Failure> {
    let mut waiters: HashMap<Vec<u8>, Vec<u64>> = HashMap::new();
    if !transactions.iter().any(|transaction| transaction.id == 0 && transaction.is_waiting_for_lock()) {
        return Ok(waiters);
    }
    let rows: Vec<(u64, Vec<u8>)> = connection.read_rows(sql_statements::WAITING_READ_ONLY_TRANSACTIONS_QUERY).await?;
    for (session, lock) in rows {
        waiters.entry(lock).or_default().push(session);
    }
    Ok(waiters)
}

fn parse_lock_row((id, mode, kind, printed, index, data): LockRow) -> (Vec<u8>, InnoDbLock) {
    let name = parse_table_name(&decode_text_column(printed));
    (id, build_innodb_lock(name, index, mode, kind == b"TABLE", data))
}

#[cfg(test)]
mod tests {
    use clew_diagnose::lock_waits::{LockResource, MetadataLockMode, MetadataLockObject};

    use super::*;

    fn named(held: &[(u64, &str)]) -> Option<u64> {
        let transactions: Vec<Transaction> =
            [1, 2].map(|session_id| Transaction { session_id, rows_locked: 1, ..Transaction::default() }).into();
        let lock = |&(session, table): &(u64, &str)| MetadataLock {
            object: MetadataLockObject::new(MetadataLockObjectKind::Table, Some("shop".into()), Some(table.into())),
            mode: MetadataLockMode::SharedRead,
            status: LockStatus::Granted,
            session: Some(session),
        };
        let on = LockResource { schema: Some("shop".into()), name: Some("t".into()), ..LockResource::default() };
        let mut waits = [InnoDbLockWait {
            waiting: LockOwner { transaction: 9, session: Some(9) },
            blocking: LockOwner::default(),
            on,
            mode: String::new(),
            held_mode: None,
        }];
        identify_blocking_read_only_transactions(&mut waits, &transactions, &held.iter().map(lock).collect::<Vec<_>>());
        waits[0].blocking.session
    }

    #[test]
    fn read_only_blocker_is_identified_only_if_unambiguous() {
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
