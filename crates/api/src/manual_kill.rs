//! Builds requests for manual kills and defines the wire format of kill risks.

use clew_diagnose::KillRisk;
use clew_model::{Language, Node};
use clew_mysql::{KillTarget, ProcessListSource};
use clew_store::KillSource;
use clew_worker::{KillError, KillRequest, VictimMatchRule};
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::caller::{Caller, TargetNode};
use crate::error::ApiError;
use crate::field_errors::check_text_length;

const MAX_KILL_REASON_CHARS: usize = 255;

impl AppState {
    pub(crate) async fn run_kill_operation_on_node<T>(
        &self,
        node: &Node,
        kill: impl Future<Output = Result<T, KillError>>,
    ) -> Result<T, ApiError> {
        let kill = async {
            match kill.await {
                Err(KillError::Node(failure)) => Err(failure),
                result => Ok(result.map_err(ApiError::from)),
            }
        };
        self.read_from_node(node, kill).await?
    }
}

pub(crate) fn check_kill_reason(reason: Option<String>) -> Result<String, ApiError> {
    let reason = reason.unwrap_or_default();
    check_text_length("reason", &reason, 0, MAX_KILL_REASON_CHARS)?;
    Ok(reason)
}

pub(crate) fn add_kill_to_audit_event(caller: &Caller, ids: &[u64], reason: &str) {
    caller.audit.add_detail("asked", ids.to_vec());
    if !reason.is_empty() {
        caller.audit.add_detail("reason", reason);
    }
}

pub(crate) fn build_manual_kill_request(
    caller: &Caller,
    target: &TargetNode<Node>,
    kind: KillTarget,
    reason: &str,
    list_read: ProcessListSource,
) -> KillRequest {
    KillRequest {
        origin: caller.build_audit_origin(),
        project_id: target.project.id.clone(),
        instance_id: target.instance.id.clone(),
        node_id: target.node.id.clone(),
        url: target.node.url.clone(),
        source: KillSource::Manual,
        task_id: None,
        kind,
        victim_match: match kind {
            KillTarget::Connection => VictimMatchRule::Session,
            KillTarget::Query => VictimMatchRule::Statement,
        },
        include_unsafe: true,
        reason: reason.to_owned(),
        list_read,
    }
}

/// Risk of killing a session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct KillRiskView {
    /// Kind of risk: table_damage, partial_change, unknown_engine, unknown_tables, long_rollback, replication or backup
    #[schema(value_type = String, example = "table_damage")]
    kind: &'static str,
    /// Description of the possible damage, in the language requested by X-Language
    message: String,
    /// True if intelligent kills and, unless include_unsafe is set, kill tasks skip sessions with this risk
    #[serde(rename = "unsafe")]
    is_unsafe: bool,
}

impl KillRiskView {
    pub(crate) fn new(risk: &KillRisk, language: Language) -> Self {
        Self {
            kind: risk.kind(),
            message: risk.description().in_language(language).to_owned(),
            is_unsafe: risk.is_unsafe(),
        }
    }
}
