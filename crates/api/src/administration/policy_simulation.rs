//! Route that simulates a request and returns the access decision and the evaluation of each policy statement.

use std::net::IpAddr;
use std::sync::Arc;

use clew_iam::decision::{
    AccessDecision, Action, CredentialScope, GrantSource, PolicyStatementOutcome, PolicyStatementRef, Principal,
    RequestEnvironment, Resource, TargetInstance, TargetProject, explain_decision,
};
use clew_iam::policy::Effect;
use clew_model::{Instance, Tag};
use clew_store::{Project, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{not_found_error, projects, require_identity_read_permission, users};
use crate::AppState;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::UnknownReference;
use crate::field_errors::{check_array_length, missing_field_error, truncate_for_message};
use crate::policy_cache::{self, run_policy_evaluation};
use crate::request_body::parse_json_body;

/// A request to simulate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulationRequest {
    /// Id of the user in the simulated request; Clew assumes that the request is signed with an access key of the user
    user_id: String,
    /// Name or alias of the policy action (case-insensitive)
    #[schema(example = "gaussdbformysql:instance:getRealtimeSession")]
    action: String,
    /// Id of the project; omit it for an action on the domain
    project_id: Option<String>,
    /// Id of the instance; requires project_id
    instance_id: Option<String>,
    /// Source IP address of the simulated request; unknown if omitted
    #[schema(value_type = Option<String>, example = "192.0.2.7")]
    source_ip: Option<IpAddr>,
    /// Time of the simulated request; defaults to the current time
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<Timestamp>,
    /// True if the request is sent over TLS
    #[schema(default = true)]
    secure_transport: Option<bool>,
    /// Instance tags that the simulated request adds or removes
    #[schema(max_items = 20)]
    request_tags: Option<Vec<SimulatedRequestTag>>,
}

/// Instance tag that the simulated request adds or removes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulatedRequestTag {
    key: String,
    #[serde(default)]
    value: String,
}

/// Result of a simulation.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulationResponse {
    /// Decision: allow or deny
    decision: SimulatedDecision,
    /// Reason of a denial
    reason: Option<String>,
    /// True if the user is an administrator, whose actions require no policies
    administrator: bool,
    /// Policy statement that determined the decision: the first matching Deny or, if none matches, the first matching Allow
    deciding: Option<PolicyStatementReference>,
    /// Evaluation of each statement in the policies of the user and the user's groups
    statements: Vec<PolicyStatementView>,
}

/// Decision of a simulation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SimulatedDecision {
    Allow,
    Deny,
}

/// Reference to a policy statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyStatementReference {
    policy: String,
    /// Name of the group that the policy is attached to; null if the policy is attached to the user
    group: Option<String>,
    /// Number of the statement in the policy, starting at 1
    statement: usize,
    sid: Option<String>,
}

/// Evaluation of a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyStatementView {
    #[serde(flatten)]
    name: PolicyStatementReference,
    /// Effect if the statement matches
    effect: PolicyStatementEffect,
    matched: bool,
    /// Reasons for the match or mismatch
    reasons: Vec<String>,
}

/// Effect of a statement.
#[derive(Serialize, ToSchema)]
pub(crate) enum PolicyStatementEffect {
    Allow,
    Deny,
}

/// Simulate a request against the user's policies.
#[utoipa::path(post, path = "/clew/v1/policies/simulate", tag = "administration", operation_id = "SimulatePolicy",
    request_body = SimulationRequest,
    responses(
        (status = 200, description = "Decision, with the reasons for each policy statement", body = SimulationResponse),
        UnknownReference
    ))]
pub(crate) async fn simulate_request(request: ApiRequest) -> ApiResult<SimulationResponse> {
    let ApiRequest { service, caller, body, .. } = request;
    require_identity_read_permission(&caller)?;
    let request: SimulationRequest = parse_json_body(&body)?;
    let action = find_action(&request.action)?;
    let environment = RequestEnvironment {
        now: request.time.unwrap_or_else(Timestamp::now),
        source_ip: request.source_ip,
        secure_transport: request.secure_transport.unwrap_or(true),
    };
    let tags = request.request_tags.unwrap_or_default();
    check_array_length("request_tags", tags.len(), 0, 20)?;
    let tags: Vec<Tag> = tags.into_iter().map(|tag| Tag { key: tag.key, value: tag.value }).collect();
    let user = users::find_user(&caller, &request.user_id).await?;
    let (project, instance) =
        find_target_project_and_instance(&caller, request.project_id, request.instance_id).await?;
    let resource = Resource {
        project: project.as_ref().map(to_target_project),
        region: service.store.region(),
        instance: instance.as_ref().map(TargetInstance::from),
        request_tags: &tags,
    };
    let administrator = user.administrator;
    let budget = service.limits.create_policy_evaluation_budget(&caller.principal.user_id);
    let principal = Principal { budget, ..load_simulated_principal(&service, user).await? };
    let explained = run_policy_evaluation(&principal, || explain_decision(&principal, action, &resource, &environment));
    let (decision, reason) = match explained.decision {
        AccessDecision::Allow => (SimulatedDecision::Allow, None),
        AccessDecision::Deny { reason } => (SimulatedDecision::Deny, Some(reason.to_string())),
    };
    let deciding = explained.deciding.map(build_policy_statement_reference);
    let statements = explained.statements.into_iter().map(build_policy_statement_view).collect();
    Ok(Json(SimulationResponse { decision, reason, administrator, deciding, statements }))
}

fn find_action(name: &str) -> Result<Action, ApiError> {
    Action::find_action_by_name(name)
        .ok_or_else(|| ApiError::invalid_parameter("action-unknown", [("given", truncate_for_message(name))]))
}

async fn find_target_project_and_instance(
    caller: &Caller,
    project_id: Option<String>,
    instance_id: Option<String>,
) -> Result<(Option<Project>, Option<Instance>), ApiError> {
    let Some(project_id) = project_id else {
        return if instance_id.is_some() { Err(missing_field_error("project_id")) } else { Ok((None, None)) };
    };
    let project = projects::find_project(caller, &project_id).await?;
    let Some(instance_id) = instance_id else { return Ok((Some(project), None)) };
    let found = match instance_id.parse() {
        Ok(id) => caller.service.store.instances().find_instance(&project.id, &id).await?,
        Err(_) => None,
    };
    let instance = found.ok_or_else(|| not_found_error("instance", &instance_id))?;
    Ok((Some(project), Some(instance)))
}

fn to_target_project(project: &Project) -> TargetProject<'_> {
    let owner = project.enabled.then_some(&project.domain_id);
    TargetProject { id: &project.id, name: &project.name, domain_id: owner }
}

async fn load_simulated_principal(service: &AppState, user: User) -> Result<Principal, ApiError> {
    let grants = policy_cache::load_policies(&service.store, &user.id).await?;
    Ok(Principal {
        user_id: user.id,
        user_name: user.name,
        domain_id: user.domain_id,
        domain_name: user.domain_name,
        scope: CredentialScope::AccessKey,
        administrator: user.administrator,
        grants,
        budget: Arc::default(),
    })
}

fn build_policy_statement_reference(statement: PolicyStatementRef) -> PolicyStatementReference {
    let group = match statement.via {
        GrantSource::User => None,
        GrantSource::Group(name) => Some(name),
    };
    PolicyStatementReference { policy: statement.policy, group, statement: statement.statement, sid: statement.sid }
}

fn build_policy_statement_view((statement, why): (PolicyStatementRef, PolicyStatementOutcome)) -> PolicyStatementView {
    let effect = match why.effect {
        Effect::Allow => PolicyStatementEffect::Allow,
        Effect::Deny => PolicyStatementEffect::Deny,
    };
    PolicyStatementView {
        name: build_policy_statement_reference(statement),
        effect,
        matched: why.matched,
        reasons: why.reasons,
    }
}
