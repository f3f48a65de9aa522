//! Construction of the wait graph.

use super::graph::{PartyDetail, WaitGraph, WaitParty};
use super::index::ObservationIndex;
use super::input::LockObservations;
use super::{edges, rank, unexplained};

/// Builds the wait graph. The run time grows linearly with the number of waits and of locks on requested resources.
#[must_use]
pub fn build_wait_graph(observed: &LockObservations) -> WaitGraph {
    let index = ObservationIndex::new(observed);
    let mut edges = edges::detect_waits(&index);
    let unknown_reasons = std::mem::take(&mut edges.unknown_reasons);
    let waits = edges.into_sorted_waits();
    let mut names: Vec<WaitParty> = waits.iter().flat_map(|wait| [wait.waiter, wait.blocker]).collect();
    names.sort_unstable();
    names.dedup();
    let (roots, cycles) = rank::rank_root_blockers(&waits, &names);
    let unexplained = unexplained::find_unexplained_waits(&index, &waits, &unknown_reasons);
    let parties: Vec<PartyDetail> = names.iter().map(|&party| build_party_detail(party, &index)).collect();
    let vanished = parties.iter().filter(|facts| facts.is_missing()).map(|facts| facts.party).collect();
    WaitGraph { waits, roots, cycles, parties, vanished, unexplained, limitations: observed.limitations.clone() }
}

fn build_party_detail(party: WaitParty, index: &ObservationIndex<'_>) -> PartyDetail {
    let (session, transaction) = match party {
        WaitParty::Session(id) => (index.sessions.get(&id), index.transactions.get(&id)),
        WaitParty::Transaction(id) => (None, index.detached.get(&id)),
    };
    let last = party.session_id().and_then(|id| index.observed.last_statements.get(&id));
    PartyDetail {
        party,
        session: session.map(|facts| facts.session.clone()),
        role: session.map(|facts| facts.role).unwrap_or_default(),
        transaction: transaction.map(|&facts| facts.clone()),
        last_statements: last.cloned().unwrap_or_default(),
    }
}
