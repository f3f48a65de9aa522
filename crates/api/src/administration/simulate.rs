//! What would come of a request, and why: the same decision as for a real one, with every statement's reasons.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use clew_iam::decision::{
    Action, Decision, Environment, InstanceFacts, Principal, ProjectFacts, Resource, Scope, StatementRef, Via, Why,
    explain,
};
use clew_iam::policy::Effect;
use clew_model::{Instance, Tag};
use clew_store::{Project, User};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{not_found, projects, reader, users};
use crate::Service;
use crate::body::{Body, check_count, missing};
use crate::caller::Caller;
use crate::grants::{self, evaluate};
use crate::json::Json;
use crate::query::shown;
use crate::refusal::{ErrorBody, Refusal};

/// A request that somebody might make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct Simulation {
    /// Who would ask, with an access key
    user_id: String,
    /// Name or alias of the action, in any case
    #[schema(example = "gaussdbformysql:instance:getRealtimeSession")]
    action: String,
    /// Where; left out for an action on the domain
    project_id: Option<String>,
    /// To what; only with project_id
    instance_id: Option<String>,
    /// From where; left out, the address is not known
    #[schema(example = "192.0.2.7")]
    source_ip: Option<String>,
    /// When; left out, now
    #[schema(value_type = Option<String>, format = DateTime)]
    time: Option<String>,
    /// Whether over TLS
    #[schema(default = true)]
    secure_transport: Option<bool>,
    /// Tags that the request would add or remove
    #[schema(max_items = 20)]
    request_tags: Option<Vec<SimulatedTag>>,
}

/// A tag that a request would add or remove.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulatedTag {
    key: String,
    #[serde(default)]
    value: String,
}

/// What would come of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulationAnswer {
    /// allow or deny
    decision: DecisionWord,
    /// Why it is denied
    reason: Option<String>,
    /// The user is an administrator: the policies are not asked
    administrator: bool,
    /// The statement that decided: the first Deny that matched, or else the first Allow
    deciding: Option<StatementName>,
    /// Every statement that reaches the user
    statements: Vec<StatementView>,
}

/// The answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecisionWord {
    Allow,
    Deny,
}

/// Names a statement.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatementName {
    policy: String,
    /// The group that the policy comes through; nothing if it is attached to the user
    group: Option<String>,
    /// Which of the policy's statements, from 1
    statement: usize,
    sid: Option<String>,
}

/// What a statement would do, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatementView {
    #[serde(flatten)]
    name: StatementName,
    /// What it does if it matches
    effect: EffectWord,
    matched: bool,
    /// Why it did not match, or else by what it did
    reasons: Vec<String>,
}

/// What a statement does.
#[derive(Serialize, ToSchema)]
pub(crate) enum EffectWord {
    Allow,
    Deny,
}

/// Say what would come of a request, and why.
#[utoipa::path(post, path = "/clew/v1/policies/simulate", tag = "administration",
    request_body(content = Simulation, content_type = "application/json"),
    responses(
        (status = 200, description = "The decision and each statement's reasons", body = SimulationAnswer),
        (status = 404, description = "What the body names is not there", body = ErrorBody)
    ))]
pub(crate) async fn simulate(
    State(service): State<Service>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<SimulationAnswer>, Refusal> {
    reader(&service, &caller)?;
    let known =
        ["user_id", "action", "project_id", "instance_id", "source_ip", "time", "secure_transport", "request_tags"];
    let body = Body::parse(&body, &known)?;
    let action = action(&body)?;
    let environment = Environment {
        now: body.get("time")?.unwrap_or_else(Timestamp::now),
        source_ip: body.get::<IpAddr>("source_ip")?,
        secure_transport: body.get("secure_transport")?.unwrap_or(true),
    };
    let tags = tags(&body)?;
    let user = users::find(&service, &caller, &body.need::<String>("user_id")?).await?;
    let (project, instance) = place(&service, &caller, &body).await?;
    let resource = Resource {
        project: project.as_ref().map(facts_of_project),
        region: service.store.region(),
        instance: instance.as_ref().map(facts_of_instance),
        request_tags: &tags,
    };
    let administrator = user.administrator;
    let budget = service.limits.work_budget(&caller.principal.user_id);
    let principal = Principal { budget, ..principal(&service, user).await? };
    let explained = evaluate(&principal, || explain(&principal, action, &resource, &environment));
    let (decision, reason) = match explained.decision {
        Decision::Allow => (DecisionWord::Allow, None),
        Decision::Deny { reason } => (DecisionWord::Deny, Some(reason.to_string())),
    };
    let deciding = explained.deciding.map(name);
    let statements = explained.statements.into_iter().map(statement).collect();
    Ok(Json(SimulationAnswer { decision, reason, administrator, deciding, statements }))
}

fn action(body: &Body) -> Result<Action, Refusal> {
    let name: String = body.need("action")?;
    Action::find(&name).ok_or_else(|| Refusal::parameter("action-unknown", vec![("given", shown(&name))]))
}

fn tags(body: &Body) -> Result<Vec<Tag>, Refusal> {
    let tags: Vec<SimulatedTag> = body.get("request_tags")?.unwrap_or_default();
    check_count("request_tags", tags.len(), 0, 20)?;
    Ok(tags.into_iter().map(|tag| Tag { key: tag.key, value: tag.value }).collect())
}

/// The project and the instance that the request would be about.
async fn place(
    service: &Service,
    caller: &Caller,
    body: &Body,
) -> Result<(Option<Project>, Option<Instance>), Refusal> {
    let instance_id: Option<String> = body.get("instance_id")?;
    let Some(project_id) = body.get::<String>("project_id")? else {
        return if instance_id.is_some() { Err(missing("project_id")) } else { Ok((None, None)) };
    };
    let project = projects::find(service, caller, &project_id).await?;
    let Some(instance_id) = instance_id else { return Ok((Some(project), None)) };
    let found = match instance_id.parse() {
        Ok(id) => service.store.instance(&project.id, &id).await?,
        Err(_) => None,
    };
    let instance = found.ok_or_else(|| not_found("instance", &instance_id))?;
    Ok((Some(project), Some(instance)))
}

fn facts_of_project(project: &Project) -> ProjectFacts<'_> {
    let owner = project.enabled.then_some(&project.domain_id);
    ProjectFacts { id: &project.id, name: &project.name, domain_id: owner }
}

fn facts_of_instance(instance: &Instance) -> InstanceFacts<'_> {
    InstanceFacts {
        id: &instance.id,
        enterprise_project_id: Some(&instance.enterprise_project_id),
        tags: &instance.tags,
    }
}

async fn principal(service: &Service, user: User) -> Result<Principal, Refusal> {
    let grants = grants::read(&service.store, &user.id).await?;
    Ok(Principal {
        user_id: user.id,
        user_name: user.name,
        domain_id: user.domain_id,
        domain_name: user.domain_name,
        scope: Scope::AccessKey,
        administrator: user.administrator,
        grants,
        budget: Arc::default(),
    })
}

fn name(named: StatementRef) -> StatementName {
    let group = match named.via {
        Via::User => None,
        Via::Group(name) => Some(name),
    };
    StatementName { policy: named.policy, group, statement: named.statement, sid: named.sid }
}

fn statement((named, why): (StatementRef, Why)) -> StatementView {
    let effect = match why.effect {
        Effect::Allow => EffectWord::Allow,
        Effect::Deny => EffectWord::Deny,
    };
    StatementView { name: name(named), effect, matched: why.matched, reasons: why.reasons }
}
