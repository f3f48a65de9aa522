//! Waits for InnoDB locks.

use std::collections::HashMap;
use std::sync::Arc;

use super::edge_set::{EdgeSet, WaitReason};
use crate::waits::graph::{Party, Resource, ResourceKind};
use crate::waits::index::ObservationIndex;
use crate::waits::input::{LockOwner, LockedObject, ObservedTransaction};

pub(super) fn add_edges(edges: &mut EdgeSet, index: &ObservationIndex<'_>) {
    let owners = OwnerResolver::new(index);
    for wait in &index.observed.row_waits {
        let Ok(waiter) = owners.resolve(wait.waiting, &owners.read_only_waiters) else { continue };
        let blocker = match owners.resolve(wait.blocking, &owners.read_only_holders) {
            Ok(blocker) => blocker,
            Err(why) => {
                if let Party::Session(session) = waiter {
                    edges.unknown_reasons.insert(session, why);
                }
                continue;
            }
        };
        let waiting = waiter.session().and_then(|session| index.transactions.get(&session));
        edges.add(
            waiter,
            blocker,
            WaitReason {
                on: Arc::new(row_resource(&wait.lock)),
                wanted: wait.lock.mode.clone().into(),
                held: wait.held_mode.clone().map(Into::into),
                strength: 0,
                queued: false,
                inferred: false,
                seconds: waiting
                    .and_then(|facts| facts.transaction.lock_wait_seconds)
                    .or_else(|| waiter.session().and_then(|session| index.seconds_in_state(session))),
            },
        );
    }
}

fn row_resource(lock: &LockedObject) -> Resource {
    Resource {
        kind: if lock.is_table_lock { ResourceKind::InnoDbTable } else { ResourceKind::Row },
        schema: lock.schema.clone(),
        name: lock.table.clone(),
        index: lock.index.clone(),
        data: lock.data.clone(),
    }
}

/// Resolves the owners of InnoDB locks.
struct OwnerResolver<'a> {
    index: &'a ObservationIndex<'a>,
    by_transaction: HashMap<u64, u64>,
    /// Waiting sessions with a read-only transaction, for which MariaDB reports the id 0.
    read_only_waiters: Vec<u64>,
    /// Sessions that hold locks with a read-only transaction.
    read_only_holders: Vec<u64>,
}

impl<'a> OwnerResolver<'a> {
    fn new(index: &'a ObservationIndex<'a>) -> Self {
        let mut owners = Self {
            index,
            by_transaction: HashMap::new(),
            read_only_waiters: Vec::new(),
            read_only_holders: Vec::new(),
        };
        for (&session, facts) in &index.transactions {
            let transaction = &facts.transaction;
            if transaction.id != 0 {
                owners.by_transaction.insert(transaction.id, session);
            } else if transaction.is_waiting_for_lock() {
                owners.read_only_waiters.push(session);
            }
            if transaction.id == 0 && holds_locks(facts) {
                owners.read_only_holders.push(session);
            }
        }
        owners.read_only_waiters.sort_unstable();
        owners.read_only_holders.sort_unstable();
        owners
    }

    /// Owner of a lock, or the reason for which it is unknown.
    fn resolve(&self, owner: LockOwner, read_only_sessions: &[u64]) -> Result<Party, String> {
        if let Some(&session) = self.by_transaction.get(&owner.transaction) {
            return Ok(Party::Session(session));
        }
        if owner.transaction != 0 && self.index.detached.contains_key(&owner.transaction) {
            return Ok(Party::Transaction(owner.transaction));
        }
        match (owner.session, owner.transaction, read_only_sessions) {
            (Some(session), _, _) | (None, 0, &[session]) => Ok(Party::Session(session)),
            (None, 0, _) => Err(unknown_owner_reason(read_only_sessions)),
            (None, transaction, _) => Ok(Party::Transaction(transaction)),
        }
    }
}

fn holds_locks(facts: &ObservedTransaction) -> bool {
    facts.transaction.rows_locked > 0 || facts.transaction.tables_locked.is_some_and(|tables| tables > 0)
}

/// Reason for an unknown owner: MariaDB does not distinguish read-only transactions.
fn unknown_owner_reason(sessions: &[u64]) -> String {
    const MAX_LISTED: usize = 5;
    let names: Vec<String> = sessions.iter().take(MAX_LISTED).map(u64::to_string).collect();
    let more = sessions.len().saturating_sub(MAX_LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match names.as_slice() {
        [] => "The transaction that blocks it only reads, and the server gives such ones no number.".to_owned(),
        _ => format!(
            "The transaction that blocks it only reads, and the server gives such ones no number: it is one of sessions {}{more}.",
            names.join(", ")
        ),
    }
}
