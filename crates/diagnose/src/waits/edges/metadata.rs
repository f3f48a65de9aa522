//! Waits for metadata locks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::found::{Edges, Reason};
use super::requests::{self, Request};
use crate::waits::compatibility::{waits_for_asked, waits_for_held};
use crate::waits::graph::{Party, Resource, ResourceKind};
use crate::waits::lookup::Lookup;
use crate::waits::metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};
use crate::waits::observed::{MetadataLock, TableName};

/// Locks on one object that somebody asks for.
#[derive(Default)]
struct Contested {
    held: BTreeMap<MetadataMode, HashSet<Party>>,
    asked: BTreeMap<MetadataMode, HashSet<Party>>,
    requests: Vec<Request>,
    /// Whether a lock on it belongs to nobody who could be found.
    has_stranger: bool,
}

pub(super) fn add(edges: &mut Edges, lookup: &Lookup<'_>) {
    let mut contested: HashMap<MetadataObject, Contested> = HashMap::new();
    for request in requests::all(lookup) {
        let place = contested.entry(request.object.clone()).or_default();
        place.asked.entry(request.mode).or_default().insert(Party::Session(request.session));
        place.requests.push(request);
    }
    for lock in lookup.observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Granted) {
        let Some(place) = contested.get_mut(&lock.object) else { continue };
        let owners = owners(lock, lookup);
        place.has_stranger |= owners.is_empty();
        place.held.entry(lock.mode).or_default().extend(owners);
    }
    for (object, place) in contested {
        let on = Arc::new(resource(object));
        for request in &place.requests {
            connect(edges, lookup, &on, &place, request);
        }
    }
}

fn connect(edges: &mut Edges, lookup: &Lookup<'_>, on: &Arc<Resource>, place: &Contested, request: &Request) {
    let waiter = Party::Session(request.session);
    let mut blocked = false;
    let mut add = |blocker: Party, held: MetadataMode, queued: bool| {
        blocked |= blocker != waiter;
        let reason = Reason {
            on: on.clone(),
            wanted: request.mode.name().into(),
            held: Some(held.name().into()),
            strength: held as usize,
            queued,
            inferred: request.inferred,
            seconds: lookup.seconds(request.session),
        };
        edges.add(waiter, blocker, reason);
    };
    for (&held, owners) in place.held.iter().filter(|&(&held, _)| waits_for_held(request.mode, held)) {
        for &owner in owners {
            add(owner, held, false);
        }
    }
    for (&asked, owners) in place.asked.iter().filter(|&(&asked, _)| waits_for_asked(request.mode, asked)) {
        for &owner in owners {
            add(owner, asked, true);
        }
    }
    if !blocked && place.has_stranger {
        edges.doubts.insert(
            request.session,
            "What it waits for is held by no session: a prepared XA transaction (see XA RECOVER), or a thread that just ended."
                .to_owned(),
        );
    }
}

/// Who holds a lock. One without a session belongs to a transaction without one: to those that have locks on the same table, or to
/// the only one there is.
fn owners(lock: &MetadataLock, lookup: &Lookup<'_>) -> Vec<Party> {
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
        lookup.detached.iter().filter(|(_, facts)| table.as_ref().is_some_and(|table| facts.tables.contains(table)));
    let owners: Vec<Party> = with_table.map(|(&id, _)| Party::Transaction(id)).collect();
    match (owners.is_empty(), lookup.detached.len()) {
        (true, 1) => lookup.detached.keys().map(|&id| Party::Transaction(id)).collect(),
        _ => owners,
    }
}

fn resource(object: MetadataObject) -> Resource {
    let MetadataObject { kind, schema, name } = object;
    Resource { kind: ResourceKind::Metadata(kind), schema, name, index: None, data: None }
}
