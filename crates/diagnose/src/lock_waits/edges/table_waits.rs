//! Detects waits for table flushes and for table-level locks of storage engines.
//!
//! The system tables of the server do not list waits for table flushes or table-level locks.
//! Clew uses the metadata locks on a table to find the sessions that block a table flush or a table-level lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::EdgeSet;
use crate::lock_waits::graph::{LockWait, WaitParticipant};
use crate::lock_waits::lock_snapshot::{
    LockResource, LockResourceKind, LockSnapshotIndex, ObservedSession, SessionRole,
};
use crate::lock_waits::metadata_locks::{LockStatus, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind};
use crate::lock_waits::wait_state::LockWaitState;
use crate::lock_waits::waiting_statement::{FlushedTables, WaitingStatement};

type TableLockHolders<'a> = HashMap<&'a MetadataLockObject, Vec<(u64, MetadataLockMode)>>;

pub(super) fn add_table_wait_edges(edges: &mut EdgeSet, index: &LockSnapshotIndex<'_>) {
    let waits = |wait: &LockWaitState| matches!(wait, LockWaitState::TableFlush | LockWaitState::TableLevelLock);
    if !index.wait_states.values().any(waits) {
        return;
    }
    let holders = group_metadata_locks_by_table(index);
    let own = group_locked_tables_by_session(&holders);
    for (&session, wait) in &index.wait_states {
        let Some(facts) = index.sessions.get(&session) else { continue };
        let own = own.get(&session).map(Vec::as_slice).unwrap_or_default();
        match wait {
            LockWaitState::TableFlush => add_table_flush_edges(edges, index, &holders, facts, own),
            LockWaitState::TableLevelLock => add_table_level_lock_edges(edges, index, &holders, facts, own),
            LockWaitState::Metadata(_) => {}
        }
    }
}

fn group_metadata_locks_by_table<'a>(index: &LockSnapshotIndex<'a>) -> TableLockHolders<'a> {
    let mut holders = TableLockHolders::new();
    for lock in &index.observed.metadata_locks {
        if let (MetadataLockObjectKind::Table, LockStatus::Granted, Some(session)) =
            (&lock.object.kind, lock.status, lock.session)
        {
            holders.entry(&lock.object).or_default().push((session, lock.mode));
        }
    }
    holders
}

fn group_locked_tables_by_session<'a>(holders: &TableLockHolders<'a>) -> HashMap<u64, Vec<&'a MetadataLockObject>> {
    let mut own: HashMap<u64, Vec<&MetadataLockObject>> = HashMap::new();
    for (&object, locks) in holders {
        let sessions: HashSet<u64> = locks.iter().map(|&(session, _)| session).collect();
        for session in sessions {
            own.entry(session).or_default().push(object);
        }
    }
    own
}

/// A table flush waits for statements that use the flushed tables and for `LOCK TABLES` locks on these tables.
/// An idle session with an open transaction does not block a table flush.
fn add_table_flush_edges(
    edges: &mut EdgeSet,
    index: &LockSnapshotIndex<'_>,
    holders: &TableLockHolders<'_>,
    waiter: &ObservedSession,
    own: &[&MetadataLockObject],
) {
    let statement =
        waiter.session.statement.as_deref().map(|text| WaitingStatement::new(text, waiter.session.database.as_deref()));
    let flushed = statement.and_then(|statement| statement.flushed_tables());
    let is_flushed = |object: &MetadataLockObject| match &flushed {
        Some(FlushedTables::All) => true,
        Some(FlushedTables::Named(tables)) => {
            tables.iter().any(|(schema, table)| is_same_table(object, schema.as_deref(), table))
        }
        None => own.contains(&object),
    };
    let keeps_open = |session: u64, mode: MetadataLockMode| {
        let locked_tables = matches!(mode, MetadataLockMode::SharedReadOnly | MetadataLockMode::SharedNoReadWrite);
        (locked_tables || is_executing_statement(index, session))
            && index.wait_states.get(&session) != Some(&LockWaitState::TableFlush)
    };
    for (object, locks) in holders.iter().filter(|(object, _)| is_flushed(object)) {
        let on = LockResource::new(LockResourceKind::TableFlush, object.schema.clone(), object.name.clone());
        let blockers = locks.iter().filter(|&&(session, mode)| keeps_open(session, mode));
        add_inferred_table_wait_edges(edges, index, waiter.session.id, (on, "FLUSH"), blockers, MetadataLockMode::name);
    }
}

/// Two sessions conflict on a table if at least one of the sessions writes to the table.
/// An idle session (for example, after `LOCK TABLES`) counts as a blocker only if no running session uses the table.
fn add_table_level_lock_edges(
    edges: &mut EdgeSet,
    index: &LockSnapshotIndex<'_>,
    holders: &TableLockHolders<'_>,
    waiter: &ObservedSession,
    own: &[&MetadataLockObject],
) {
    let id = waiter.session.id;
    for &object in own {
        let locks = holders.get(object).map(Vec::as_slice).unwrap_or_default();
        let writes = locks.iter().any(|&(session, mode)| session == id && is_write_lock_mode(mode));
        let others = locks.iter().filter(|&&(session, mode)| {
            session != id
                && (writes || is_write_lock_mode(mode))
                && index.wait_states.get(&session) != Some(&LockWaitState::TableLevelLock)
        });
        let (running, idle): (Vec<_>, Vec<_>) =
            others.partition(|(session, _)| is_executing_statement(index, *session));
        let on = LockResource::new(LockResourceKind::TableLevelLock, object.schema.clone(), object.name.clone());
        let wanted = if writes { "WRITE" } else { "READ" };
        let held = |mode| if is_write_lock_mode(mode) { "WRITE" } else { "READ" };
        add_inferred_table_wait_edges(
            edges,
            index,
            id,
            (on, wanted),
            if running.is_empty() { idle } else { running },
            held,
        );
    }
}

fn add_inferred_table_wait_edges<'h>(
    edges: &mut EdgeSet,
    index: &LockSnapshotIndex<'_>,
    waiter: u64,
    (on, wanted): (LockResource, &'static str),
    blockers: impl IntoIterator<Item = &'h (u64, MetadataLockMode)>,
    held: impl Fn(MetadataLockMode) -> &'static str,
) {
    let on = Arc::new(on);
    for &(blocker, mode) in blockers {
        let wait = LockWait {
            waiter: WaitParticipant::Session(waiter),
            blocker: WaitParticipant::Session(blocker),
            on: on.clone(),
            wanted: wanted.into(),
            held: Some(held(mode).into()),
            queued: false,
            inferred: true,
            seconds: index.seconds_in_state(waiter),
        };
        edges.add_wait_edge(wait, mode as usize);
    }
}

fn is_same_table(object: &MetadataLockObject, schema: Option<&str>, table: &str) -> bool {
    let is_equal = |left: Option<&str>, right: &str| left.is_some_and(|left| left.eq_ignore_ascii_case(right));
    is_equal(object.name.as_deref(), table) && schema.is_none_or(|schema| is_equal(object.schema.as_deref(), schema))
}

fn is_write_lock_mode(mode: MetadataLockMode) -> bool {
    use MetadataLockMode::{Exclusive, SharedNoReadWrite, SharedNoWrite, SharedWrite, SharedWriteLowPrio};
    matches!(mode, SharedWrite | SharedWriteLowPrio | SharedNoWrite | SharedNoReadWrite | Exclusive)
}

fn is_executing_statement(index: &LockSnapshotIndex<'_>, session: u64) -> bool {
    index.sessions.get(&session).is_some_and(|facts| facts.role != SessionRole::Clew && !facts.session.is_idle())
}
