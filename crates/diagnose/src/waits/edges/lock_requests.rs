//! Pending metadata lock requests: as listed by the server, or else inferred from state and statement.

use std::collections::HashSet;

use crate::waits::index::ObservationIndex;
use crate::waits::input::{LockObservations, ObservedSession};
use crate::waits::metadata::{LockStatus, MetadataKind, MetadataMode, MetadataObject};
use crate::waits::statement::WaitingStatement;
use crate::waits::wait_state::StateWait;

/// Pending request of a session for a lock.
pub(super) struct LockRequest {
    pub(super) session: u64,
    pub(super) object: MetadataObject,
    pub(super) mode: MetadataMode,
    /// Whether the request was inferred, not listed.
    pub(super) inferred: bool,
}

/// All pending requests.
pub(super) fn pending_requests(index: &ObservationIndex<'_>) -> Vec<LockRequest> {
    let mut requests = listed_requests(index.observed);
    if !index.observed.reports_pending {
        let known: HashSet<u64> = requests.iter().map(|request| request.session).collect();
        let held = granted_objects(index.observed);
        let waiting = index.state_waits.iter().filter(|(session, _)| !known.contains(session));
        for (session, wait) in waiting {
            if let (StateWait::Metadata(kind), Some(facts)) = (wait, index.sessions.get(session)) {
                requests.extend(infer_requests(facts, kind, &held));
            }
        }
    }
    requests
}

fn listed_requests(observed: &LockObservations) -> Vec<LockRequest> {
    let pending = observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Pending);
    pending
        .filter_map(|lock| {
            let session = lock.session?;
            Some(LockRequest { session, object: lock.object.clone(), mode: lock.mode, inferred: false })
        })
        .collect()
}

fn granted_objects(observed: &LockObservations) -> HashSet<&MetadataObject> {
    let held = observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Granted);
    held.map(|lock| &lock.object).collect()
}

/// Infers the requests of a session.
///
/// Candidates are the locked objects of the kind that its state names; its statement selects among them.
fn infer_requests(facts: &ObservedSession, kind: &MetadataKind, held: &HashSet<&MetadataObject>) -> Vec<LockRequest> {
    let session = &facts.session;
    let Some(text) = session.statement.as_deref() else { return Vec::new() };
    let statement = WaitingStatement::new(text, session.database.as_deref());
    let mode = statement.requested_mode(kind);
    let of_kind = held.iter().filter(|object| object.kind == *kind);
    let matching = of_kind.filter(|object| match kind {
        MetadataKind::Global | MetadataKind::Commit | MetadataKind::Backup => true,
        MetadataKind::UserLock => object.name.as_deref().is_some_and(|name| contains_quoted(text, name)),
        MetadataKind::Schema => object.schema.as_deref().is_some_and(|schema| {
            statement.names_object(None, schema) || session.database.as_deref() == Some(schema.as_bytes())
        }),
        _ => object.name.as_deref().is_some_and(|name| statement.names_object(object.schema.as_deref(), name)),
    });
    matching.map(|&object| LockRequest { session: session.id, object: object.clone(), mode, inferred: true }).collect()
}

/// Whether a name occurs in quotes in a statement, as the name of a user lock does.
fn contains_quoted(statement: &[u8], name: &str) -> bool {
    ["'", "\""].iter().any(|quote| {
        memchr::memmem::find(
            &statement.to_ascii_lowercase(),
            format!("{quote}{name}{quote}").to_ascii_lowercase().as_bytes(),
        )
        .is_some()
    })
}
