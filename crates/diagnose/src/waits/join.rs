//! The graph, joined from everything that was read.

use super::graph::{Party, PartyFacts, WaitGraph};
use super::lookup::Lookup;
use super::observed::Observed;
use super::{edges, rank, unexplained};

/// Joins what was read into the graph. Linear in waits, and in the locks on what is waited for.
#[must_use]
pub fn graph(observed: &Observed) -> WaitGraph {
    let lookup = Lookup::new(observed);
    let mut edges = edges::all(&lookup);
    let doubts = std::mem::take(&mut edges.doubts);
    let waits = edges.sorted();
    let mut names: Vec<Party> = waits.iter().flat_map(|wait| [wait.waiter, wait.blocker]).collect();
    names.sort_unstable();
    names.dedup();
    let (roots, cycles) = rank::roots(&waits, &names);
    let unexplained = unexplained::sessions(&lookup, &waits, &doubts);
    let parties: Vec<PartyFacts> = names.iter().map(|&party| facts(party, &lookup)).collect();
    let vanished = parties.iter().filter(|facts| facts.is_gone()).map(|facts| facts.party).collect();
    WaitGraph { waits, roots, cycles, parties, vanished, unexplained, limitations: observed.limitations.clone() }
}

fn facts(party: Party, lookup: &Lookup<'_>) -> PartyFacts {
    let (session, transaction) = match party {
        Party::Session(id) => (lookup.sessions.get(&id), lookup.transactions.get(&id)),
        Party::Transaction(id) => (None, lookup.detached.get(&id)),
    };
    let last = party.session().and_then(|id| lookup.observed.last_statements.get(&id));
    PartyFacts {
        party,
        session: session.map(|facts| facts.session.clone()),
        role: session.map(|facts| facts.role).unwrap_or_default(),
        transaction: transaction.map(|&facts| facts.clone()),
        last_statements: last.cloned().unwrap_or_default(),
    }
}
