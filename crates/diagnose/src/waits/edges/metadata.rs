//! Waits for metadata locks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::edge_set::{EdgeSet, WaitReason};
use super::lock_requests::{self, LockRequest};
use crate::waits::compatibility::{conflicts_with_granted, conflicts_with_pending};
use crate::waits::graph::{Party, Resource, ResourceKind};
use crate::waits::index::ObservationIndex;
use crate::waits::input::{MetadataLock, TableName};
use crate::waits::metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};

/// Locks on an object for which at least one request is pending.
#[derive(Default)]
struct ContestedObject {
    granted: BTreeMap<MetadataMode, HashSet<Party>>,
    pending: BTreeMap<MetadataMode, HashSet<Party>>,
    requests: Vec<LockRequest>,
    /// Whether a granted lock on the object has no known owner.
    has_unknown_owner: bool,
}

pub(super) fn add_edges(edges: &mut EdgeSet, index: &ObservationIndex<'_>) {
    let mut objects: HashMap<MetadataObject, ContestedObject> = HashMap::new();
    for request in lock_requests::pending_requests(index) {
        let contested = objects.entry(request.object.clone()).or_default();
        contested.pending.entry(request.mode).or_default().insert(Party::Session(request.session));
        contested.requests.push(request);
    }
    for lock in index.observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Granted) {
        let Some(contested) = objects.get_mut(&lock.object) else { continue };
        let owners = lock_owners(lock, index);
        contested.has_unknown_owner |= owners.is_empty();
        contested.granted.entry(lock.mode).or_default().extend(owners);
    }
    for (object, contested) in objects {
        let on = Arc::new(metadata_resource(object));
        for request in &contested.requests {
            add_waits(edges, index, &on, &contested, request);
        }
    }
}

fn add_waits(
    edges: &mut EdgeSet,
    index: &ObservationIndex<'_>,
    on: &Arc<Resource>,
    contested: &ContestedObject,
    request: &LockRequest,
) {
    let waiter = Party::Session(request.session);
    let mut blocked = false;
    let mut add = |blocker: Party, held: MetadataMode, queued: bool| {
        blocked |= blocker != waiter;
        let reason = WaitReason {
            on: on.clone(),
            wanted: request.mode.name().into(),
            held: Some(held.name().into()),
            strength: held as usize,
            queued,
            inferred: request.inferred,
            seconds: index.seconds_in_state(request.session),
        };
        edges.add(waiter, blocker, reason);
    };
    for (&held, owners) in contested.granted.iter().filter(|&(&held, _)| conflicts_with_granted(request.mode, held)) {
        for &owner in owners {
            add(owner, held, false);
        }
    }
    for (&pending, owners) in
        contested.pending.iter().filter(|&(&pending, _)| conflicts_with_pending(request.mode, pending))
    {
        for &owner in owners {
            add(owner, pending, true);
        }
    }
    if !blocked && contested.has_unknown_owner {
        edges.unknown_reasons.insert(
            request.session,
            "What it waits for is held by no session: a prepared XA transaction (see XA RECOVER), or a thread that just ended."
                .to_owned(),
        );
    }
}

/// Owners of a lock.
///
/// A lock without a session belongs to a detached transaction with InnoDB locks on the same table.
/// If there is only one detached transaction, the lock belongs to it.
fn lock_owners(lock: &MetadataLock, index: &ObservationIndex<'_>) -> Vec<Party> {
    if let Some(session) = lock.session {
        return vec![Party::Session(session)];
    }
    let table = match &lock.object {
        MetadataObject { kind: MetadataKind::Table, schema: Some(schema), name: Some(name) } => {
            Some(TableName { schema: schema.clone(), table: name.clone() })
        }
        _ => None,
    };
    let with_table =
        index.detached.iter().filter(|(_, facts)| table.as_ref().is_some_and(|table| facts.tables.contains(table)));
    let owners: Vec<Party> = with_table.map(|(&id, _)| Party::Transaction(id)).collect();
    match (owners.is_empty(), index.detached.len()) {
        (true, 1) => index.detached.keys().map(|&id| Party::Transaction(id)).collect(),
        _ => owners,
    }
}

fn metadata_resource(object: MetadataObject) -> Resource {
    let MetadataObject { kind, schema, name } = object;
    Resource { kind: ResourceKind::Metadata(kind), schema, name, index: None, data: None }
}
