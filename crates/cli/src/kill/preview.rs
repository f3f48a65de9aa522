//! Who would end, and what that costs.

use std::collections::HashMap;
use std::fmt::Write as _;

use clew_diagnose::KillRisk;
use clew_diagnose::waits::{self, Party};
use clew_model::{Language, Limitation, LimitationKind, NodeUrl, Session, Transaction};
use clew_mysql::{Limits, read_kill_risks, read_waits};

use crate::notes;

/// The sessions that were chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    /// As they were typed.
    pub(super) ids: Vec<u64>,
    /// Those that are there, in the same order.
    pub(super) sessions: Vec<Session>,
    pub(super) costs: Option<Costs>,
}

/// What is lost with a session, and who gains.
#[derive(Debug, Default)]
pub(super) struct Costs {
    /// By session; nothing where transactions cannot be seen.
    pub(super) transactions: Option<HashMap<u64, Transaction>>,
    /// How many wait for each of the sessions, directly or behind others.
    pub(super) holds_up: HashMap<u64, usize>,
    /// Risks by session.
    pub(super) risks: HashMap<u64, Vec<KillRisk>>,
    /// Root blockers that are not among the sessions, in words.
    pub(super) warnings: Vec<String>,
    /// What cannot be seen, and why.
    pub(super) notes: String,
}

impl Chosen {
    pub(super) fn new(ids: Vec<u64>, mut sessions: Vec<Session>) -> Self {
        let place: HashMap<u64, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        sessions.sort_by_key(|session| place.get(&session.id).copied());
        Self { ids, sessions, costs: None }
    }

    /// Those that are not there.
    pub(super) fn gone(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().copied().filter(|id| self.sessions.iter().all(|session| session.id != *id))
    }
}

/// What can be known of transactions and waits. A server that cannot be asked for these may still be asked to kill: then the preview
/// says why it does not know.
pub(super) async fn costs(node: &NodeUrl, sessions: &[Session], limits: &Limits) -> Costs {
    let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    let observed = match read_waits(node, limits).await {
        Ok(observed) => observed,
        Err(failure) => {
            return Costs { notes: format!("note: what it costs could not be read: {failure}\n"), ..Costs::default() };
        }
    };
    let graph = waits::graph(&observed);
    let held_up = |id: &u64| Some((*id, graph.held_up_by(Party::Session(*id)))).filter(|(_, count)| *count > 0);
    let of_transactions = [LimitationKind::NoTransactions, LimitationKind::PartOfTransactions];
    let (of_transactions, of_waits): (Vec<&Limitation>, Vec<&Limitation>) =
        observed.limitations.iter().partition(|limitation| of_transactions.contains(&limitation.kind));
    let hidden = of_transactions.iter().any(|limitation| limitation.kind == LimitationKind::NoTransactions);
    let transactions = observed.transactions.iter().map(|facts| &facts.transaction);
    let transactions: HashMap<u64, Transaction> = transactions.map(|open| (open.session_id, open.clone())).collect();
    let mut notes: String = of_transactions.into_iter().map(notes::describe).collect();
    if !of_waits.is_empty() {
        notes.push_str("note: more sessions may wait than can be seen; clew locks says why\n");
    }
    let risks = match read_kill_risks(node, sessions, &transactions, limits).await {
        Ok(risks) => risks,
        Err(failure) => {
            let _ = writeln!(notes, "note: risks could not be read: {failure}");
            HashMap::new()
        }
    };
    let warnings = graph.surviving_blockers(&ids).iter().map(|blocker| blocker.text(Language::EnUs)).collect();
    Costs {
        transactions: (!hidden).then_some(transactions),
        risks,
        warnings,
        holds_up: ids.iter().filter_map(held_up).collect(),
        notes,
    }
}
