//! Waits for locks of InnoDB.

use std::collections::HashMap;
use std::sync::Arc;

use super::found::{Edges, Reason};
use crate::waits::graph::{Party, Resource, ResourceKind};
use crate::waits::lookup::Lookup;
use crate::waits::observed::{LockOwner, LockedObject, TransactionFacts};

pub(super) fn add(edges: &mut Edges, lookup: &Lookup<'_>) {
    let owners = Owners::new(lookup);
    for wait in &lookup.observed.row_waits {
        let Ok(waiter) = owners.party(wait.waiting, &owners.reading_waiters) else { continue };
        let blocker = match owners.party(wait.blocking, &owners.reading_holders) {
            Ok(blocker) => blocker,
            Err(why) => {
                if let Party::Session(session) = waiter {
                    edges.doubts.insert(session, why);
                }
                continue;
            }
        };
        let waiting = waiter.session().and_then(|session| lookup.transactions.get(&session));
        edges.add(
            waiter,
            blocker,
            Reason {
                on: Arc::new(resource(&wait.lock)),
                wanted: wait.lock.mode.clone().into(),
                held: wait.held_mode.clone().map(Into::into),
                strength: 0,
                queued: false,
                inferred: false,
                seconds: waiting
                    .and_then(|facts| facts.transaction.lock_wait_seconds)
                    .or_else(|| waiter.session().and_then(|session| lookup.seconds(session))),
            },
        );
    }
}

fn resource(lock: &LockedObject) -> Resource {
    Resource {
        kind: if lock.whole_table { ResourceKind::InnoDbTable } else { ResourceKind::Row },
        schema: lock.schema.clone(),
        name: lock.table.clone(),
        index: lock.index.clone(),
        data: lock.data.clone(),
    }
}

/// Whose a lock is.
struct Owners<'a> {
    lookup: &'a Lookup<'a>,
    by_transaction: HashMap<u64, u64>,
    /// Sessions whose transaction has MariaDB's number of all that only read: those that wait …
    reading_waiters: Vec<u64>,
    /// … and those that hold locks.
    reading_holders: Vec<u64>,
}

impl<'a> Owners<'a> {
    fn new(lookup: &'a Lookup<'a>) -> Self {
        let mut owners =
            Self { lookup, by_transaction: HashMap::new(), reading_waiters: Vec::new(), reading_holders: Vec::new() };
        for (&session, facts) in &lookup.transactions {
            let transaction = &facts.transaction;
            if transaction.id != 0 {
                owners.by_transaction.insert(transaction.id, session);
            } else if transaction.waits_for_a_lock() {
                owners.reading_waiters.push(session);
            }
            if transaction.id == 0 && holds(facts) {
                owners.reading_holders.push(session);
            }
        }
        owners.reading_waiters.sort_unstable();
        owners.reading_holders.sort_unstable();
        owners
    }

    /// The owner, or why it cannot be told.
    fn party(&self, owner: LockOwner, readers: &[u64]) -> Result<Party, String> {
        if let Some(&session) = self.by_transaction.get(&owner.transaction) {
            return Ok(Party::Session(session));
        }
        if owner.transaction != 0 && self.lookup.detached.contains_key(&owner.transaction) {
            return Ok(Party::Transaction(owner.transaction));
        }
        match (owner.session, owner.transaction, readers) {
            (Some(session), _, _) | (None, 0, &[session]) => Ok(Party::Session(session)),
            (None, 0, _) => Err(one_of(readers)),
            (None, transaction, _) => Ok(Party::Transaction(transaction)),
        }
    }
}

fn holds(facts: &TransactionFacts) -> bool {
    facts.transaction.rows_locked > 0 || facts.transaction.tables_locked.is_some_and(|tables| tables > 0)
}

/// MariaDB does not tell them apart.
fn one_of(sessions: &[u64]) -> String {
    const NAMED: usize = 5;
    let names: Vec<String> = sessions.iter().take(NAMED).map(u64::to_string).collect();
    let more = sessions.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match names.as_slice() {
        [] => "The transaction that blocks it only reads, and the server gives such ones no number.".to_owned(),
        _ => format!(
            "The transaction that blocks it only reads, and the server gives such ones no number: it is one of sessions {}{more}.",
            names.join(", ")
        ),
    }
}
