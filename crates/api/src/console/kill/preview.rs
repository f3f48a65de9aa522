//! Preview of a kill: expected outcome, rolled-back changes, unblocked sessions and risks.

use std::collections::HashMap;

use clew_diagnose::KillRisk;
use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_model::{Language, Limitation, LimitationKind, LocalizedText, Node, Session, Transaction};
use clew_mysql::{KillRefusal, KillTarget, LockWaits, read_kill_risks, read_lock_waits};
use serde::Serialize;
use utoipa::ToSchema;

use super::describe_kill_refusal;
use crate::AppState;
use crate::manual_kill::KillRiskView;
use crate::messages::localize_failure;

/// Open transaction that would be rolled back if the connection were killed.
#[derive(Serialize, ToSchema)]
pub(super) struct RollbackCost {
    /// Age of the transaction, in seconds
    seconds: u64,
    rows_modified: u64,
    rows_locked: u64,
}

#[derive(Default)]
pub(super) struct KillImpact {
    transactions: HashMap<u64, Transaction>,
    graph: WaitGraph,
    risks: HashMap<u64, Vec<KillRisk>>,
    pub(super) unknown_reason: Option<LocalizedText>,
}

pub(super) async fn predict_kill_impact(service: &AppState, node: &Node, found: &HashMap<u64, Session>) -> KillImpact {
    let read = read_lock_waits(&node.url, &service.connector);
    let LockWaits { graph, transactions, .. } = match service.try_read_from_node(node, read).await {
        Ok(waits) => waits,
        Err(failure) => {
            return KillImpact { unknown_reason: Some(localize_failure(&failure)), ..KillImpact::default() };
        }
    };
    let transactions = transactions.into_iter().map(|facts| facts.transaction);
    let transactions = transactions.filter(|transaction| found.contains_key(&transaction.session_id));
    let transactions: HashMap<u64, Transaction> =
        transactions.map(|transaction| (transaction.session_id, transaction)).collect();
    let sessions: Vec<Session> = found.values().cloned().collect();
    let read = read_kill_risks(&node.url, &sessions, &transactions, &service.connector);
    let (risks, risks_unknown) = match service.try_read_from_node(node, read).await {
        Ok(risks) => (risks, None),
        Err(failure) => (HashMap::new(), Some(localize_failure(&failure))),
    };
    let limitation = graph.limitations.iter().find(|limitation| limitation.kind == LimitationKind::NoTransactions);
    let transactions_unknown = limitation.map(|Limitation { what, why, .. }| {
        LocalizedText::new(format!("{what} {why}"), format!("{}{}", what.chinese, why.chinese))
    });
    KillImpact { transactions, graph, risks, unknown_reason: transactions_unknown.or(risks_unknown) }
}

impl KillImpact {
    pub(super) fn rollback_cost(&self, id: u64) -> Option<RollbackCost> {
        self.transactions.get(&id).map(|transaction| RollbackCost {
            seconds: transaction.seconds,
            rows_modified: transaction.rows_modified,
            rows_locked: transaction.rows_locked,
        })
    }

    pub(super) fn find_session_ids_unblocked_by_kill(&self, id: u64) -> Vec<u64> {
        self.graph
            .find_waiters_unblocked_by(&[WaitParticipant::Session(id)])
            .into_iter()
            .filter_map(WaitParticipant::session_id)
            .collect()
    }

    pub(super) fn build_kill_risk_views(&self, id: u64, kind: KillTarget, language: Language) -> Vec<KillRiskView> {
        let applies = |risk: &&KillRisk| kind == KillTarget::Connection || risk.applies_to_kill_query();
        let risks = self.risks.get(&id).into_iter().flatten().filter(applies);
        risks.map(|risk| KillRiskView::new(risk, language)).collect()
    }

    pub(super) fn format_remaining_blocker_warnings(&self, victims: &[u64], language: Language) -> Vec<String> {
        self.graph.find_remaining_blockers(victims).iter().map(|blocker| blocker.format_warning(language)).collect()
    }

    pub(super) fn count_waiters(&self, id: u64) -> usize {
        self.graph.count_waiters(WaitParticipant::Session(id))
    }
}

pub(super) fn predict_kill_outcome(refusal: Option<KillRefusal>, kind: KillTarget) -> (&'static str, LocalizedText) {
    if let Some(refusal) = refusal {
        return describe_kill_refusal(refusal);
    }
    let message = match kind {
        KillTarget::Connection => LocalizedText::new(
            "the session would be terminated; uncommitted changes to transactional tables would be rolled back",
            "将终止会话，并回滚其对事务引擎表未提交的修改",
        ),
        KillTarget::Query => LocalizedText::new(
            "the running statement would end; the session, its transaction and its locks remain",
            "将终止正在执行的语句，会话及其事务和锁保留",
        ),
    };
    ("would_kill", message)
}
