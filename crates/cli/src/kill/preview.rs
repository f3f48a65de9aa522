//! Estimates the impact of a kill for the preview.

use std::collections::HashMap;
use std::fmt::Write as _;

use clew_diagnose::KillRisk;
use clew_diagnose::lock_waits::WaitParticipant;
use clew_model::{Language, LimitationKind, NodeUrl, Session, Transaction};
use clew_mysql::{LockWaits, NodeConnector, read_kill_risks, read_lock_waits};

use crate::limitations;

#[derive(Debug)]
pub(super) struct SelectedSessions {
    pub(super) ids: Vec<u64>,
    /// Sessions from `ids` that exist on the server, in the same order.
    pub(super) sessions: Vec<Session>,
    pub(super) impact: Option<KillImpact>,
}

#[derive(Debug, Default)]
pub(super) struct KillImpact {
    /// `None` if the database account cannot read transactions.
    pub(super) transactions: Option<HashMap<u64, Transaction>>,
    /// Number of directly and indirectly blocked sessions, keyed by session id.
    pub(super) blocked_counts: HashMap<u64, usize>,
    pub(super) risks: HashMap<u64, Vec<KillRisk>>,
    /// Warnings about root blockers that are not selected for the kill.
    pub(super) warnings: Vec<String>,
    pub(super) notes: String,
}

impl SelectedSessions {
    pub(super) fn new(ids: Vec<u64>, mut sessions: Vec<Session>) -> Self {
        let positions: HashMap<u64, usize> = ids.iter().enumerate().map(|(position, id)| (*id, position)).collect();
        sessions.sort_by_key(|session| positions.get(&session.id).copied());
        Self { ids, sessions, impact: None }
    }

    pub(super) fn missing_session_ids(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().copied().filter(|id| self.sessions.iter().all(|session| session.id != *id))
    }
}

pub(super) async fn estimate_kill_impact(
    node: &NodeUrl,
    sessions: &[Session],
    connector: &NodeConnector,
) -> KillImpact {
    let ids: Vec<u64> = sessions.iter().map(|session| session.id).collect();
    let LockWaits { graph, transactions, .. } = match read_lock_waits(node, connector).await {
        Ok(waits) => waits,
        Err(failure) => {
            return KillImpact { notes: format!("note: the impact is unknown: {failure}\n"), ..KillImpact::default() };
        }
    };
    let blocked_count =
        |id: &u64| Some((*id, graph.count_waiters(WaitParticipant::Session(*id)))).filter(|(_, count)| *count > 0);
    let hidden = graph
        .limitations_causing_missing_transactions()
        .any(|limitation| limitation.kind == LimitationKind::NoTransactions);
    let transactions = transactions.into_iter().map(|facts| facts.transaction);
    let transactions: HashMap<u64, Transaction> = transactions.map(|open| (open.session_id, open)).collect();
    let mut notes: String =
        graph.limitations_causing_missing_transactions().map(limitations::format_limitation).collect();
    if graph.may_miss_lock_waits() {
        notes.push_str("note: some waiting sessions are not visible; clew locks shows the reason\n");
    }
    let risks = match read_kill_risks(node, sessions, &transactions, connector).await {
        Ok(risks) => risks,
        Err(failure) => {
            let _ = writeln!(notes, "note: the risks are unknown: {failure}");
            HashMap::new()
        }
    };
    let warnings =
        graph.find_remaining_blockers(&ids).iter().map(|blocker| blocker.format_warning(Language::EnUs)).collect();
    KillImpact {
        transactions: (!hidden).then_some(transactions),
        risks,
        warnings,
        blocked_counts: ids.iter().filter_map(blocked_count).collect(),
        notes,
    }
}
