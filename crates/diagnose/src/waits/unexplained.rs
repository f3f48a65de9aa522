//! Waiting sessions without a detected blocker.

use std::collections::{HashMap, HashSet};

use clew_model::{LimitationKind, Transaction};

use super::graph::{UnexplainedWait, Wait};
use super::index::ObservationIndex;
use super::input::SessionRole;
use super::metadata::{LockStatus, MetadataKind};
use super::wait_state::StateWait;

/// Sessions that wait according to the server but have no wait in the graph, sorted by id.
pub(super) fn unexplained_sessions(
    index: &ObservationIndex<'_>,
    waits: &[Wait],
    unknown_reasons: &HashMap<u64, String>,
) -> Vec<UnexplainedWait> {
    let explained: HashSet<u64> = waits.iter().filter_map(|wait| wait.waiter.session()).collect();
    let with_pending_request: HashSet<u64> = index
        .observed
        .metadata_locks
        .iter()
        .filter(|lock| lock.status == LockStatus::Pending)
        .filter_map(|lock| lock.session)
        .collect();
    let mut sessions = Vec::new();
    for facts in &index.observed.sessions {
        let session = &facts.session;
        let is_candidate =
            matches!(facts.role, SessionRole::User | SessionRole::Applier) && !explained.contains(&session.id);
        let by_state = index.state_waits.get(&session.id);
        let in_innodb =
            index.transactions.get(&session.id).is_some_and(|facts| facts.transaction.is_waiting_for_lock());
        if !is_candidate || (by_state.is_none() && !in_innodb) {
            continue;
        }
        let state = match by_state {
            Some(_) => crate::text::to_valid_utf8(session.state.as_deref().unwrap_or_default()),
            None => Transaction::LOCK_WAIT.to_owned(),
        };
        let why = unknown_reasons.get(&session.id).cloned().unwrap_or_else(|| match by_state {
            Some(wait) => unknown_blocker_reason(wait, index, with_pending_request.contains(&session.id)),
            None => limitation_text(index, &[LimitationKind::NoRowLocks, LimitationKind::LostThreads]).unwrap_or_else(
                || "The server lists no lock that it waits for: it was got, or given up, between two reads.".to_owned(),
            ),
        });
        sessions.push(UnexplainedWait { session: session.id, state, why });
    }
    sessions.sort();
    sessions
}

/// Limitations that cause missing metadata locks.
const MISSING_METADATA_LOCKS: [LimitationKind; 4] = [
    LimitationKind::NoMetadataLocks,
    LimitationKind::NoPerformanceSchema,
    LimitationKind::LostMetadataLocks,
    LimitationKind::LostThreads,
];

fn unknown_blocker_reason(wait: &StateWait, index: &ObservationIndex<'_>, has_pending_request: bool) -> String {
    if let Some(limitation_text) = limitation_text(index, &MISSING_METADATA_LOCKS) {
        return limitation_text;
    }
    match wait {
        StateWait::Metadata(kind) if has_pending_request => format!(
            "Nobody is listed as holding this {kind}: it was taken before the server began to record such locks, or is just let go."
        ),
        StateWait::Metadata(MetadataKind::UserLock) if !index.observed.reports_pending => {
            "The server does not list requests, and no held user lock is named in its statement.".to_owned()
        }
        StateWait::Metadata(_) if !index.observed.reports_pending => {
            "The server does not list requests, and no held lock fits its statement.".to_owned()
        }
        StateWait::Metadata(_) => {
            "The server lists no lock that it asks for: it was got, or given up, between two reads.".to_owned()
        }
        StateWait::TableFlush | StateWait::TableLevelLock => {
            "No running session is listed as using the table that it waits for.".to_owned()
        }
    }
}

/// Text of the first limitation of these kinds, if any.
fn limitation_text(index: &ObservationIndex<'_>, kinds: &[LimitationKind]) -> Option<String> {
    let limit = index.observed.limitations.iter().find(|limit| kinds.contains(&limit.kind))?;
    Some(match &limit.remedy {
        Some(remedy) => format!("{} What would show it: {remedy}", limit.why),
        None => limit.why.clone(),
    })
}
