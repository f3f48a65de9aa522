//! Sessions that wait by what the server says, and nobody is known for whom.

use std::collections::{HashMap, HashSet};

use clew_model::{LimitationKind, Transaction};

use super::graph::{Unexplained, Wait};
use super::lookup::Lookup;
use super::metadata::{LockStatus, MetadataKind};
use super::observed::SessionRole;
use super::state::StateWait;

/// Those without a wait in the graph, by session.
pub(super) fn sessions(lookup: &Lookup<'_>, waits: &[Wait], doubts: &HashMap<u64, String>) -> Vec<Unexplained> {
    let explained: HashSet<u64> = waits.iter().filter_map(|wait| wait.waiter.session()).collect();
    let asking: HashSet<u64> = lookup
        .observed
        .metadata_locks
        .iter()
        .filter(|lock| lock.status == LockStatus::Pending)
        .filter_map(|lock| lock.session)
        .collect();
    let mut found = Vec::new();
    for facts in &lookup.observed.sessions {
        let session = &facts.session;
        let concerns =
            matches!(facts.role, SessionRole::User | SessionRole::Applier) && !explained.contains(&session.id);
        let by_state = lookup.states.get(&session.id);
        let in_innodb = lookup.transactions.get(&session.id).is_some_and(|facts| facts.transaction.waits_for_a_lock());
        if !concerns || (by_state.is_none() && !in_innodb) {
            continue;
        }
        let state = match by_state {
            Some(_) => crate::text::clean(session.state.as_deref().unwrap_or_default()),
            None => Transaction::LOCK_WAIT.to_owned(),
        };
        let why = doubts.get(&session.id).cloned().unwrap_or_else(|| match by_state {
            Some(wait) => why(wait, lookup, asking.contains(&session.id)),
            None => lacking(lookup, &[LimitationKind::NoRowLocks, LimitationKind::LostThreads]).unwrap_or_else(|| {
                "The server lists no lock that it waits for: it was got, or given up, between two reads.".to_owned()
            }),
        });
        found.push(Unexplained { session: session.id, state, why });
    }
    found.sort();
    found
}

/// Limitations by which metadata locks are missing.
const METADATA_LOCKS_MISSING: [LimitationKind; 4] = [
    LimitationKind::NoMetadataLocks,
    LimitationKind::NoPerformanceSchema,
    LimitationKind::LostMetadataLocks,
    LimitationKind::LostThreads,
];

fn why(wait: &StateWait, lookup: &Lookup<'_>, asks: bool) -> String {
    if let Some(lacking) = lacking(lookup, &METADATA_LOCKS_MISSING) {
        return lacking;
    }
    match wait {
        StateWait::Metadata(kind) if asks => format!(
            "Nobody is listed as holding this {kind}: it was taken before the server began to record such locks, or is just let go."
        ),
        StateWait::Metadata(MetadataKind::UserLock) if !lookup.observed.pending_seen => {
            "The server does not list requests, and no held user lock is named in its statement.".to_owned()
        }
        StateWait::Metadata(_) if !lookup.observed.pending_seen => {
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

/// What a limitation of one of these kinds says, if there is one.
fn lacking(lookup: &Lookup<'_>, kinds: &[LimitationKind]) -> Option<String> {
    let limit = lookup.observed.limitations.iter().find(|limit| kinds.contains(&limit.kind))?;
    Some(match &limit.remedy {
        Some(remedy) => format!("{} What would show it: {remedy}", limit.why),
        None => limit.why.clone(),
    })
}
