//! Detection of waits for InnoDB row and table locks.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::LocalizedText;

use super::EdgeSet;
use crate::lock_waits::graph::{LockWait, WaitParticipant};
use crate::lock_waits::lock_snapshot::{LockOwner, LockSnapshotIndex};

pub(super) fn add_innodb_lock_edges(edges: &mut EdgeSet, index: &LockSnapshotIndex<'_>) {
    let owners = LockOwnerResolver::new(index);
    for wait in &index.observed.row_waits {
        let Ok(waiter) = owners.find_lock_owner(wait.waiting, &owners.read_only_waiters) else { continue };
        let blocker = match owners.find_lock_owner(wait.blocking, &owners.read_only_holders) {
            Ok(blocker) => blocker,
            Err(why) => {
                if let WaitParticipant::Session(session) = waiter {
                    edges.unknown_reasons.insert(session, why);
                }
                continue;
            }
        };
        let waiting = waiter.session_id().and_then(|session| index.transactions.get(&session));
        let wait = LockWait {
            waiter,
            blocker,
            on: Arc::new(wait.on.clone()),
            wanted: wait.mode.clone().into(),
            held: wait.held_mode.clone().map(Into::into),
            queued: false,
            inferred: false,
            seconds: waiting
                .and_then(|facts| facts.transaction.lock_wait_seconds)
                .or_else(|| waiter.session_id().and_then(|session| index.seconds_in_state(session))),
        };
        edges.add_wait_edge(wait, 0);
    }
}

struct LockOwnerResolver<'a> {
    index: &'a LockSnapshotIndex<'a>,
    by_transaction: HashMap<u64, u64>,
    read_only_waiters: Vec<u64>,
    read_only_holders: Vec<u64>,
}

impl<'a> LockOwnerResolver<'a> {
    fn new(index: &'a LockSnapshotIndex<'a>) -> Self {
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
            let holds_locks = transaction.rows_locked > 0 || transaction.tables_locked.is_some_and(|tables| tables > 0);
            if transaction.id == 0 && holds_locks {
                owners.read_only_holders.push(session);
            }
        }
        owners.read_only_waiters.sort_unstable();
        owners.read_only_holders.sort_unstable();
        owners
    }

    fn find_lock_owner(&self, owner: LockOwner, read_only_sessions: &[u64]) -> Result<WaitParticipant, LocalizedText> {
        if let Some(&session) = self.by_transaction.get(&owner.transaction) {
            return Ok(WaitParticipant::Session(session));
        }
        if owner.transaction != 0 && self.index.detached.contains_key(&owner.transaction) {
            return Ok(WaitParticipant::Transaction(owner.transaction));
        }
        match (owner.session, owner.transaction, read_only_sessions) {
            (Some(session), _, _) | (None, 0, &[session]) => Ok(WaitParticipant::Session(session)),
            (None, 0, _) => Err(explain_unknown_read_only_blocker(read_only_sessions)),
            (None, transaction, _) => Ok(WaitParticipant::Transaction(transaction)),
        }
    }
}

/// MariaDB reports the transaction id 0 for every read-only transaction.
fn explain_unknown_read_only_blocker(sessions: &[u64]) -> LocalizedText {
    const MAX_LISTED_SESSIONS: usize = 5;
    let LocalizedText { english, chinese } = LocalizedText::from_static(
        "The blocking transaction is read-only, and the server reports no id for read-only transactions.",
        "阻塞事务为只读事务，服务器不提供只读事务的ID。",
    );
    let names: Vec<String> = sessions.iter().take(MAX_LISTED_SESSIONS).map(u64::to_string).collect();
    if names.is_empty() {
        return LocalizedText::new(english, chinese);
    }
    let (mut more, mut more_zh) = (String::new(), String::new());
    if sessions.len() > MAX_LISTED_SESSIONS {
        more = format!(" and {} more", sessions.len() - MAX_LISTED_SESSIONS);
        more_zh = format!(" 等 {} 个会话", sessions.len());
    }
    LocalizedText::new(
        format!("{english} The blocker is one of sessions {}{more}.", names.join(", ")),
        format!("{chinese}阻塞会话是以下会话之一：{}{more_zh}。", names.join("、")),
    )
}
