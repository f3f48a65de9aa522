//! Who asks for which metadata lock: as the server lists it, and where it does not, by state and statement.

use std::collections::HashSet;

use crate::waits::lookup::Lookup;
use crate::waits::metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};
use crate::waits::observed::{Observed, SessionFacts};
use crate::waits::state::StateWait;
use crate::waits::statement::Statement;

/// One session asks for one lock.
pub(super) struct Request {
    pub(super) session: u64,
    pub(super) object: MetadataObject,
    pub(super) mode: MetadataMode,
    /// Whether it was concluded, not listed.
    pub(super) inferred: bool,
}

/// All requests.
pub(super) fn all(lookup: &Lookup<'_>) -> Vec<Request> {
    let mut requests = listed(lookup.observed);
    if !lookup.observed.pending_seen {
        let known: HashSet<u64> = requests.iter().map(|request| request.session).collect();
        let held = held_objects(lookup.observed);
        let waiting = lookup.states.iter().filter(|(session, _)| !known.contains(session));
        for (session, wait) in waiting {
            if let (StateWait::Metadata(kind), Some(facts)) = (wait, lookup.sessions.get(session)) {
                requests.extend(inferred(facts, kind, &held));
            }
        }
    }
    requests
}

fn listed(observed: &Observed) -> Vec<Request> {
    let pending = observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Pending);
    pending
        .filter_map(|lock| {
            let session = lock.session?;
            Some(Request { session, object: lock.object.clone(), mode: lock.mode, inferred: false })
        })
        .collect()
}

fn held_objects(observed: &Observed) -> HashSet<&MetadataObject> {
    let held = observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Granted);
    held.map(|lock| &lock.object).collect()
}

/// What a session asks for, out of what is held: objects of the kind that its state names, and that its statement names.
fn inferred(facts: &SessionFacts, kind: &MetadataKind, held: &HashSet<&MetadataObject>) -> Vec<Request> {
    let session = &facts.session;
    let Some(text) = session.statement.as_deref() else { return Vec::new() };
    let statement = Statement::new(text, session.database.as_deref());
    let mode = statement.wanted(kind);
    let of_kind = held.iter().filter(|object| object.kind == *kind);
    let meant = of_kind.filter(|object| match kind {
        MetadataKind::Global | MetadataKind::Commit | MetadataKind::Backup => true,
        MetadataKind::UserLock => object.name.as_deref().is_some_and(|name| has_text(text, name)),
        MetadataKind::Schema => object.schema.as_deref().is_some_and(|schema| {
            statement.names(None, schema) || session.database.as_deref() == Some(schema.as_bytes())
        }),
        _ => object.name.as_deref().is_some_and(|name| statement.names(object.schema.as_deref(), name)),
    });
    meant.map(|&object| Request { session: session.id, object: object.clone(), mode, inferred: true }).collect()
}

/// Whether a name stands in quotes in a statement, as that of a user lock does.
fn has_text(statement: &[u8], name: &str) -> bool {
    ["'", "\""].iter().any(|quote| {
        memchr::memmem::find(
            &statement.to_ascii_lowercase(),
            format!("{quote}{name}{quote}").to_ascii_lowercase().as_bytes(),
        )
        .is_some()
    })
}
