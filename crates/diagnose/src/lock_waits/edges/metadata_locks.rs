//! Detection of waits for metadata locks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use clew_model::LocalizedText;

use super::EdgeSet;
use super::lock_requests::{self, LockRequest};
use crate::lock_waits::graph::{LockWait, WaitParticipant};
use crate::lock_waits::lock_compatibility::{conflicts_with_granted_lock, conflicts_with_pending_request};
use crate::lock_waits::lock_snapshot::{LockResource, LockResourceKind, LockSnapshotIndex, MetadataLock};
use crate::lock_waits::metadata_locks::{LockStatus, MetadataLockMode, MetadataLockObject};

#[derive(Default)]
struct ContestedObject {
    granted: BTreeMap<MetadataLockMode, HashSet<WaitParticipant>>,
    pending: BTreeMap<MetadataLockMode, HashSet<WaitParticipant>>,
    requests: Vec<LockRequest>,
    has_unknown_owner: bool,
}

pub(super) fn add_metadata_lock_edges(edges: &mut EdgeSet, index: &LockSnapshotIndex<'_>) {
    let mut objects: HashMap<MetadataLockObject, ContestedObject> = HashMap::new();
    for request in lock_requests::collect_pending_lock_requests(index) {
        let contested = objects.entry(request.object.clone()).or_default();
        contested.pending.entry(request.mode).or_default().insert(WaitParticipant::Session(request.session));
        contested.requests.push(request);
    }
    for lock in index.observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Granted) {
        let Some(contested) = objects.get_mut(&lock.object) else { continue };
        let owners = find_lock_owners(lock, index);
        contested.has_unknown_owner |= owners.is_empty();
        contested.granted.entry(lock.mode).or_default().extend(owners);
    }
    for (object, contested) in objects {
        let on = Arc::new(LockResource::new(LockResourceKind::Metadata(object.kind), object.schema, object.name));
        for request in &contested.requests {
            add_edges_for_lock_request(edges, index, &on, &contested, request);
        }
    }
}

fn add_edges_for_lock_request(
    edges: &mut EdgeSet,
    index: &LockSnapshotIndex<'_>,
    on: &Arc<LockResource>,
    contested: &ContestedObject,
    request: &LockRequest,
) {
    let waiter = WaitParticipant::Session(request.session);
    let mut blocked = false;
    let mut add = |blocker: WaitParticipant, held: MetadataLockMode, queued: bool| {
        blocked |= blocker != waiter;
        let wait = LockWait {
            waiter,
            blocker,
            on: on.clone(),
            wanted: request.mode.name().into(),
            held: Some(held.name().into()),
            queued,
            inferred: request.inferred,
            seconds: index.seconds_in_state(request.session),
        };
        edges.add_wait_edge(wait, held as usize);
    };
    let granted = contested.granted.iter().filter(|&(&held, _)| conflicts_with_granted_lock(request.mode, held));
    let pending = contested.pending.iter().filter(|&(&held, _)| conflicts_with_pending_request(request.mode, held));
    for (&held, owners, queued) in
        granted.map(|(held, owners)| (held, owners, false)).chain(pending.map(|(held, owners)| (held, owners, true)))
    {
        for &owner in owners {
            add(owner, held, queued);
        }
    }
    if !blocked && contested.has_unknown_owner {
        edges.unknown_reasons.insert(
            request.session,
            LocalizedText::new(
                "No session owns the requested lock. Possible owners: a prepared XA transaction (see XA RECOVER), or a thread that has just ended.",
                "没有会话持有所请求的锁。可能的持有者：已准备（prepared）的XA事务（请执行XA RECOVER查看），或刚结束的线程。",
            ),
        );
    }
}

/// If the metadata lock's owner has no session, returns all transactions that may own the lock.
///
/// A transaction without a session may own the metadata lock if it also holds an InnoDB lock on the table.
/// If only one transaction has no session, returns that transaction even if it has no InnoDB lock on the table.
fn find_lock_owners(lock: &MetadataLock, index: &LockSnapshotIndex<'_>) -> Vec<WaitParticipant> {
    if let Some(session) = lock.session {
        return vec![WaitParticipant::Session(session)];
    }
    let with_table = index.detached.iter().filter(|(_, facts)| facts.tables.contains(&lock.object));
    let owners: Vec<WaitParticipant> = with_table.map(|(&id, _)| WaitParticipant::Transaction(id)).collect();
    match (owners.is_empty(), index.detached.len()) {
        (true, 1) => index.detached.keys().map(|&id| WaitParticipant::Transaction(id)).collect(),
        _ => owners,
    }
}
