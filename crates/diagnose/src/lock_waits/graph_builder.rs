//! Construction of the wait graph.

use super::graph::{ParticipantDetail, WaitGraph, WaitParticipant};
use super::lock_snapshot::{LockSnapshot, LockSnapshotIndex};
use super::{edges, root_blocker_ranking, waits_without_blocker};

/// Builds the wait graph of a database node.
#[must_use]
pub fn build_wait_graph(observed: &LockSnapshot) -> WaitGraph {
    let index = LockSnapshotIndex::new(observed);
    let mut edges = edges::detect_lock_waits(&index);
    let unknown_reasons = std::mem::take(&mut edges.unknown_reasons);
    let waits = edges.into_sorted_waits();
    let mut names: Vec<WaitParticipant> = waits.iter().flat_map(|wait| [wait.waiter, wait.blocker]).collect();
    names.sort_unstable();
    names.dedup();
    let (roots, cycles) = root_blocker_ranking::rank_root_blockers(&waits, &names);
    let unexplained = waits_without_blocker::find_waits_without_blocker(&index, &waits, &unknown_reasons);
    let parties: Vec<ParticipantDetail> = names.iter().map(|&party| build_participant_detail(party, &index)).collect();
    let vanished = parties.iter().filter(|facts| facts.is_missing_from_snapshot()).map(|facts| facts.party).collect();
    let mut limitations = observed.limitations.clone();
    if !unexplained.is_empty() {
        limitations.extend(observed.unknown_blockers_limitation.clone());
    }
    WaitGraph { waits, roots, cycles, parties, vanished, unexplained, limitations }
}

fn build_participant_detail(party: WaitParticipant, index: &LockSnapshotIndex<'_>) -> ParticipantDetail {
    let (session, transaction) = match party {
        WaitParticipant::Session(id) => (index.sessions.get(&id), index.transactions.get(&id)),
        WaitParticipant::Transaction(id) => (None, index.detached.get(&id)),
    };
    ParticipantDetail {
        party,
        session: session.map(|facts| facts.session.clone()),
        role: session.map(|facts| facts.role).unwrap_or_default(),
        transaction: transaction.map(|&facts| facts.clone()),
        last_statements: Vec::new(),
    }
}
