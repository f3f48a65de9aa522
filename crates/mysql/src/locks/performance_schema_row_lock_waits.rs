//! Reads InnoDB lock waits from performance_schema (MySQL 8.0 or later).

use std::collections::{HashMap, HashSet};

use clew_diagnose::lock_waits::{InnoDbLockWait, LockOwner};
use clew_model::Failure;

use super::identifiers::{InnoDbLock, build_innodb_lock, decode_text_column};
use crate::connection::Connection;
use crate::sql_statements::{self, ER_NO_SUCH_TABLE};

const MAX_LOCK_IDS_PER_QUERY: usize = 500;
/// Maximum number of InnoDB locks for which Clew reads the locked objects.
const MAX_TOTAL_LOCK_IDS: usize = 5000;

/// Row of `data_lock_waits`: lock id, transaction id and thread id of the waiter, then the same ids of the blocker.
type WaitRow = (Vec<u8>, u64, Option<u64>, Vec<u8>, u64, Option<u64>);

/// Returns InnoDB lock waits with the thread ids, instead of the session ids, of the waiter and the blocker.
/// Returns `None` if the release has no such table.
pub(super) async fn read_row_lock_waits(
    connection: &mut Connection,
) -> Result<Option<Vec<(InnoDbLockWait, [Option<u64>; 2])>>, Failure> {
    let query = sql_statements::PERFORMANCE_SCHEMA_LOCK_WAITS_QUERY;
    let Ok(rows) = connection.read_rows_or_error_code::<WaitRow>(query, &[ER_NO_SUCH_TABLE]).await? else {
        return Ok(None);
    };
    let locks = read_innodb_locks_by_id(connection, &rows).await?;
    let owner = |transaction| LockOwner { transaction, session: None };
    let wait = |row: WaitRow| {
        let (requested_lock, waiting_transaction, waiting_thread, held_lock, blocking_transaction, blocking_thread) =
            row;
        let (waiting, blocking) = (owner(waiting_transaction), owner(blocking_transaction));
        let (on, mode) = locks.get(&requested_lock).cloned().unwrap_or_default();
        let held_mode = locks.get(&held_lock).map(|(_, mode)| mode.clone());
        (InnoDbLockWait { waiting, blocking, on, mode, held_mode }, [waiting_thread, blocking_thread])
    };
    Ok(Some(rows.into_iter().map(wait).collect()))
}

/// Row of `data_locks`: lock id, schema, table, index, lock mode, lock type, and locked data.
type LockRow =
    (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// Reads up to [`MAX_TOTAL_LOCK_IDS`] locks by id. Requested locks take precedence over held locks.
async fn read_innodb_locks_by_id(
    connection: &mut Connection,
    waits: &[WaitRow],
) -> Result<HashMap<Vec<u8>, InnoDbLock>, Failure> {
    let mut unique = HashSet::new();
    let requested_locks = waits.iter().map(|wait| wait.0.as_slice());
    let held_locks = waits.iter().map(|wait| wait.3.as_slice());
    let ids = requested_locks
        .chain(held_locks)
        .filter_map(|id| std::str::from_utf8(id).ok().filter(|id| is_innodb_lock_id(id)));
    let ids: Vec<&str> = ids.filter(|&id| unique.insert(id)).take(MAX_TOTAL_LOCK_IDS).collect();
    let mut locks = HashMap::new();
    for ids in ids.chunks(MAX_LOCK_IDS_PER_QUERY) {
        let rows: Vec<LockRow> = connection.read_rows(&sql_statements::data_locks_query(ids)).await?;
        locks.extend(rows.into_iter().map(parse_lock_row));
    }
    Ok(locks)
}

/// Clew inserts the lock id into an SQL statement, so the lock id must contain only digits and colons.
fn is_innodb_lock_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
}

fn parse_lock_row((id, schema, table, index, mode, kind, data): LockRow) -> (Vec<u8>, InnoDbLock) {
    let name = (schema.map(decode_text_column), table.map(decode_text_column));
    (id, build_innodb_lock(name, index, mode.unwrap_or_default(), kind.as_deref() == Some(b"TABLE"), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lock_ids_get_into_a_statement() {
        for (id, fits) in [("140211201964816:2:4:2:140211086465800", true), ("1'", false), ("", false), ("1 2", false)]
        {
            assert_eq!(is_innodb_lock_id(id), fits, "{id}");
        }
    }
}
