//! What a kill would end, what that undoes, and who could go on then.

use std::collections::HashMap;

use clew_diagnose::waits::{self, Party, WaitGraph};
use clew_diagnose::{KillRisk, ProtectedAccounts, clean, is_internal};
use clew_model::{Language, LimitationKind, Node, Session, Transaction};
use clew_mysql::{KillKind, Refusal as MustLive, read_kill_risks, read_waits};
use serde::Serialize;
use utoipa::ToSchema;

use super::refused;
use crate::Service;
use crate::kill_risks::KillRiskView;

/// What is undone with a session.
#[derive(Serialize, ToSchema)]
pub(super) struct Undone {
    /// Since the transaction began
    seconds: u64,
    rows_modified: u64,
    rows_locked: u64,
}

/// What is lost with sessions, and who gains.
#[derive(Default)]
pub(super) struct Costs {
    transactions: HashMap<u64, Transaction>,
    graph: WaitGraph,
    risks: HashMap<u64, Vec<KillRisk>>,
    /// Why it is not known, or not all of it.
    pub(super) unknown: Option<String>,
}

/// Reads what ending these sessions would cost. A server that cannot be asked for this may still be asked to kill.
pub(super) async fn costs(service: &Service, node: &Node, found: &HashMap<u64, Session>) -> Costs {
    let read = async |limits| read_waits(&node.url, &limits).await;
    let observed = match service.try_read_node(node, read).await {
        Ok(observed) => observed,
        Err(failure) => return Costs { unknown: Some(failure.to_string()), ..Costs::default() },
    };
    let graph = waits::graph(&observed);
    let open = observed.transactions.into_iter().map(|facts| facts.transaction);
    let open = open.filter(|transaction| found.contains_key(&transaction.session_id));
    let transactions: HashMap<u64, Transaction> =
        open.map(|transaction| (transaction.session_id, transaction)).collect();
    let sessions: Vec<Session> = found.values().cloned().collect();
    let read = async |limits| read_kill_risks(&node.url, &sessions, &transactions, &limits).await;
    let (risks, risks_unknown) = match service.try_read_node(node, read).await {
        Ok(risks) => (risks, None),
        Err(failure) => (HashMap::new(), Some(failure.to_string())),
    };
    let hidden = observed.limitations.iter().find(|limitation| limitation.kind == LimitationKind::NoTransactions);
    Costs {
        transactions,
        graph,
        risks,
        unknown: hidden.map(|limitation| format!("{} {}", limitation.what, limitation.why)).or(risks_unknown),
    }
}

impl Costs {
    pub(super) fn undone(&self, id: u64) -> Option<Undone> {
        self.transactions.get(&id).map(|open| Undone {
            seconds: open.seconds,
            rows_modified: open.rows_modified,
            rows_locked: open.rows_locked,
        })
    }

    pub(super) fn frees(&self, id: u64) -> Vec<u64> {
        self.graph.freed_by(&[Party::Session(id)]).into_iter().filter_map(Party::session).collect()
    }

    pub(super) fn risks(&self, id: u64, kind: KillKind, language: Language) -> Vec<KillRiskView> {
        let applies = |risk: &&KillRisk| kind == KillKind::Connection || risk.applies_to_statement();
        let risks = self.risks.get(&id).into_iter().flatten().filter(applies);
        risks.map(|risk| KillRiskView::new(risk, language)).collect()
    }

    /// Root blockers of the victims that are not among them.
    pub(super) fn warnings(&self, victims: &[u64], language: Language) -> Vec<String> {
        self.graph.surviving_blockers(victims).iter().map(|blocker| blocker.text(language)).collect()
    }

    pub(super) fn holds_up(&self, id: u64) -> usize {
        self.graph.held_up_by(Party::Session(id))
    }
}

/// What would become of a session that is there and meant. Whether it is one of Clew's own is found out only where it is to be killed.
pub(super) fn outcome(now: &Session, kind: KillKind, protected: &ProtectedAccounts) -> (&'static str, String) {
    if is_internal(now) {
        return refused(MustLive::Internal);
    }
    if protected.protects(&now.user) {
        return refused(MustLive::Protected { user: clean(&now.user) });
    }
    if kind == KillKind::Query && now.command.eq_ignore_ascii_case(b"Sleep") {
        return refused(MustLive::Idle);
    }
    let what = match kind {
        KillKind::Connection => {
            "the session would end; what its open transaction changed in tables with transactions would be rolled back"
        }
        KillKind::Query => "what it runs would end; the session, its transaction and its locks stay",
    };
    ("would_kill", what.to_owned())
}
