//! Waits for InnoDB's locks, of MySQL.

use std::collections::{HashMap, HashSet};

use clew_diagnose::waits::LockedObject;
use clew_model::Failure;

use super::read_wait::{Owner, ReadWait};
use super::text::text;
use crate::connection::Connection;
use crate::statements;

/// Locks that are asked about at a time, and in all: of more waits than that it is told who waits for whom, not on what.
const IDS_AT_A_TIME: usize = 500;
const IDS: usize = 5000;

/// A row of `data_lock_waits`: lock, transaction and thread of who asks, then of who is in the way.
type WaitRow = (Vec<u8>, u64, Option<u64>, Vec<u8>, u64, Option<u64>);

/// All waits. Several for one pair are one: the graph needs no more.
pub(super) async fn row_waits(connection: &mut Connection) -> Result<Vec<ReadWait>, Failure> {
    let rows: Vec<WaitRow> =
        connection.ask(statements::ROW_WAITS_MYSQL).await.map_err(|error| connection.failed(&error))?;
    let locks = locks(connection, &rows).await?;
    let owner = |transaction, thread| Owner { transaction, thread, session: None };
    let wait = |(asked, asks, asking_thread, held, holds, holding_thread): WaitRow| {
        ReadWait::new(
            owner(asks, asking_thread),
            owner(holds, holding_thread),
            locks.get(&asked).cloned().unwrap_or_default(),
            locks.get(&held).map(|lock| lock.mode.clone()),
        )
    };
    Ok(rows.into_iter().map(wait).collect())
}

/// A row of `data_locks`: id, schema, table, index, mode, type, data.
type LockRow =
    (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// What the locks are on, by id: first those that are asked for.
async fn locks(connection: &mut Connection, waits: &[WaitRow]) -> Result<HashMap<Vec<u8>, LockedObject>, Failure> {
    let mut met = HashSet::new();
    let asked = waits.iter().map(|wait| wait.0.as_slice());
    let held = waits.iter().map(|wait| wait.3.as_slice());
    let ids = asked.chain(held).filter_map(|id| std::str::from_utf8(id).ok().filter(|id| is_id(id)));
    let ids: Vec<&str> = ids.filter(|&id| met.insert(id)).take(IDS).collect();
    let mut locks = HashMap::new();
    for ids in ids.chunks(IDS_AT_A_TIME) {
        let rows: Vec<LockRow> =
            connection.ask(&statements::data_locks(ids)).await.map_err(|error| connection.failed(&error))?;
        locks.extend(rows.into_iter().map(lock));
    }
    Ok(locks)
}

/// InnoDB's ids are numbers with colons between them; others are not put into a statement.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
}

fn lock((id, schema, table, index, mode, kind, data): LockRow) -> (Vec<u8>, LockedObject) {
    let object = LockedObject {
        schema: schema.map(text),
        table: table.map(text),
        index: index.map(text),
        mode: mode.map(text).unwrap_or_default(),
        whole_table: kind.as_deref() == Some(b"TABLE"),
        data: data.map(text),
    };
    (id, object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_an_id_gets_into_a_statement() {
        for (id, fits) in [("140211201964816:2:4:2:140211086465800", true), ("1'", false), ("", false), ("1 2", false)]
        {
            assert_eq!(is_id(id), fits, "{id}");
        }
    }
}
