//! Pending metadata lock requests, listed by the server or inferred from a session's state and statement.

use std::collections::HashSet;

use crate::lock_waits::lock_snapshot::{LockSnapshotIndex, MetadataLock, ObservedSession};
use crate::lock_waits::metadata_locks::{LockStatus, MetadataLockMode, MetadataLockObject, MetadataLockObjectKind};
use crate::lock_waits::wait_state::LockWaitState;
use crate::lock_waits::waiting_statement::WaitingStatement;

pub(super) struct LockRequest {
    pub(super) session: u64,
    pub(super) object: MetadataLockObject,
    pub(super) mode: MetadataLockMode,
    pub(super) inferred: bool,
}

pub(super) fn collect_pending_lock_requests(index: &LockSnapshotIndex<'_>) -> Vec<LockRequest> {
    let pending = index.observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Pending);
    let listed = |lock: &MetadataLock| {
        Some(LockRequest { session: lock.session?, object: lock.object.clone(), mode: lock.mode, inferred: false })
    };
    let mut requests: Vec<LockRequest> = pending.filter_map(listed).collect();
    if !index.observed.reports_pending {
        let with_listed_request: HashSet<u64> = requests.iter().map(|request| request.session).collect();
        let granted = index.observed.metadata_locks.iter().filter(|lock| lock.status == LockStatus::Granted);
        let granted: HashSet<&MetadataLockObject> = granted.map(|lock| &lock.object).collect();
        let waiting = index.wait_states.iter().filter(|(session, _)| !with_listed_request.contains(session));
        for (session, wait) in waiting {
            if let (LockWaitState::Metadata(kind), Some(facts)) = (wait, index.sessions.get(session)) {
                requests.extend(infer_lock_requests(facts, kind, &granted));
            }
        }
    }
    requests
}

fn infer_lock_requests(
    facts: &ObservedSession,
    kind: &MetadataLockObjectKind,
    granted: &HashSet<&MetadataLockObject>,
) -> Vec<LockRequest> {
    let session = &facts.session;
    let Some(text) = session.statement.as_deref() else { return Vec::new() };
    let statement = WaitingStatement::new(text, session.database.as_deref());
    let mode = statement.requested_lock_mode(kind);
    let of_kind = granted.iter().filter(|object| object.kind == *kind);
    let matching = of_kind.filter(|object| match kind {
        MetadataLockObjectKind::Global | MetadataLockObjectKind::Commit | MetadataLockObjectKind::Backup => true,
        MetadataLockObjectKind::UserLock => object.name.as_deref().is_some_and(|name| contains_quoted_name(text, name)),
        MetadataLockObjectKind::Schema => object.schema.as_deref().is_some_and(|schema| {
            statement.mentions_database_object(None, schema) || session.database.as_deref() == Some(schema.as_bytes())
        }),
        _ => object
            .name
            .as_deref()
            .is_some_and(|name| statement.mentions_database_object(object.schema.as_deref(), name)),
    });
    matching.map(|&object| LockRequest { session: session.id, object: object.clone(), mode, inferred: true }).collect()
}

fn contains_quoted_name(statement: &[u8], name: &str) -> bool {
    ["'", "\""].iter().any(|quote| {
        memchr::memmem::find(
            &statement.to_ascii_lowercase(),
            format!("{quote}{name}{quote}").to_ascii_lowercase().as_bytes(),
        )
        .is_some()
    })
}
