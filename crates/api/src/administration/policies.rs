//! Policies: those of the domain, and those that come with Clew.

pub(super) mod validate;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_iam::policy::{Model, Policy, PolicyErrors, system};
use clew_model::{DomainId, ErrorEntry};
use clew_store::{PolicyRecord, PolicyRef};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::{changer, fields, moment, not_found, reader};
use crate::Service;
use crate::body::Body;
use crate::caller::Caller;
use crate::json::Json;
use crate::page::{self, PageParameters};
use crate::refusal::{ErrorBody, FindingView, Refusal};
use validate::{document, findings};

/// A page of policies.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyPage {
    policies: Vec<PolicyView>,
    total_count: u64,
}

/// The two models of permissions.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a field whose type is in another crate")]
pub(crate) enum ModelWord {
    Role,
    Identity,
}

/// A policy without its document.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyView {
    name: String,
    /// Whether it comes with Clew; then it stays as it is
    system: bool,
    /// role (versions 1.0 and 1.1) or identity (5.0)
    #[schema(value_type = ModelWord)]
    model: Model,
    description: String,
    /// When it was last put; nothing if it comes with Clew
    updated_at: Option<String>,
}

/// A policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyWithDocument {
    #[serde(flatten)]
    policy: PolicyView,
    #[schema(value_type = validate::PolicyDocument)]
    document: Box<RawValue>,
    /// What is right but worth a second look
    warnings: Vec<FindingView>,
}

/// A policy to be kept.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct PolicyPut {
    document: validate::Document,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// List the policies of the domain, and those that come with Clew.
#[utoipa::path(get, path = "/clew/v1/policies", tag = "administration", params(PageParameters),
    responses((status = 200, description = "A page of policies: the domain's by name, then those that come with Clew", body = PolicyPage)))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<PolicyPage>, Refusal> {
    let domain = reader(&service, &caller)?;
    let page = page::asked(query.as_deref())?;
    let own = service.store.policies_of(domain).await?.into_iter().map(Found::Own);
    let all: Vec<_> = own.chain(system::ALL.iter().map(Found::System)).collect();
    let (policies, total_count) = page::cut(all, page, |found| found.view());
    Ok(Json(PolicyPage { policies, total_count }))
}

/// Show a policy.
#[utoipa::path(get, path = "/clew/v1/policies/{name}", tag = "administration", params(("name" = String, Path)),
    responses((status = 200, description = "The policy", body = PolicyWithDocument)))]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<PolicyWithDocument>, Refusal> {
    let domain = reader(&service, &caller)?;
    let found = find(&service, domain, &name).await?;
    let parsed = parse(&service, &caller, found.document().to_owned()).await?;
    answer(&found, parsed.map(|policy| findings(policy.warnings())).unwrap_or_default())
}

/// Keep a policy, in the place of the one of this name if there is one.
///
/// Every mistake in it is answered with its place. The tokens of whom it reaches end.
#[utoipa::path(put, path = "/clew/v1/policies/{name}", tag = "administration", params(("name" = String, Path)),
    request_body(content = PolicyPut, content_type = "application/json"),
    responses(
        (status = 200, description = "The policy", body = PolicyWithDocument),
        (status = 409, description = "It comes with Clew, is attached and would change its model, or would be more than may reach a user or group", body = ErrorBody)
    ))]
pub(crate) async fn put(
    State(service): State<Service>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<PolicyWithDocument>, Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    if system::find(&name).is_some() {
        return Err(comes_with_clew());
    }
    fields::check_policy_name(&name)?;
    let body = Body::parse(&body, &["document", "description"])?;
    let description = fields::description(&body)?.unwrap_or_default();
    let text = document(&body)?;
    let policy = parse(&service, &caller, text.clone()).await?.map_err(|errors| refused(errors.findings()))?;
    let before = service.store.policy_by_name(domain, &name).await?;
    if let Some(before) = before.filter(|before| before.model != model_name(policy.model())) {
        // What it is attached to may be what the other model cannot be attached to.
        let attached = service.store.attachments_of(&PolicyRef::Own(before.id)).await?;
        if !attached.is_empty() {
            return Err(Refusal::because(ErrorEntry::IAM_CONFLICT, "policy-model-attached", Vec::new()));
        }
    }
    service.store.put_policy(&origin, domain, &name, model_name(policy.model()), &text, &description).await?;
    answer(&find(&service, domain, &name).await?, findings(policy.warnings()))
}

/// Remove a policy that is attached to nobody.
#[utoipa::path(delete, path = "/clew/v1/policies/{name}", tag = "administration", params(("name" = String, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "It is attached, or comes with Clew", body = ErrorBody)
    ))]
pub(crate) async fn remove(
    State(service): State<Service>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    match find(&service, domain, &name).await? {
        Found::System(_) => Err(comes_with_clew()),
        Found::Own(record) => {
            service.store.remove_policy(&origin, &record.id).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

/// A policy that somebody named.
pub(super) enum Found {
    Own(PolicyRecord),
    System(&'static system::SystemPolicy),
}

/// The policy of this name: one of the domain, or one that comes with Clew.
pub(super) async fn find(service: &Service, domain: &DomainId, name: &str) -> Result<Found, Refusal> {
    if let Some(policy) = system::ALL.iter().find(|policy| policy.name == name) {
        return Ok(Found::System(policy));
    }
    let record = service.store.policy_by_name(domain, name).await?;
    record.map(Found::Own).ok_or_else(|| not_found("policy", name))
}

impl Found {
    pub(super) fn reference(&self) -> PolicyRef {
        match self {
            Self::Own(record) => PolicyRef::Own(record.id.clone()),
            Self::System(policy) => PolicyRef::System(policy.name.to_owned()),
        }
    }

    pub(super) fn model(&self) -> Model {
        let is_role = match self {
            Self::Own(record) => record.model == model_name(Model::RoleBased),
            Self::System(policy) => policy.policy().is_some_and(|policy| policy.model() == Model::RoleBased),
        };
        if is_role { Model::RoleBased } else { Model::IdentityBased }
    }

    fn document(&self) -> &str {
        match self {
            Self::Own(record) => &record.document,
            Self::System(policy) => policy.document,
        }
    }

    fn view(&self) -> PolicyView {
        let (name, description, updated_at) = match self {
            Self::Own(record) => (record.name.clone(), record.description.clone(), Some(moment(record.updated_at))),
            Self::System(policy) => (policy.name.to_owned(), policy.description.to_owned(), None),
        };
        PolicyView { name, system: updated_at.is_none(), model: self.model(), description, updated_at }
    }
}

/// Parses a document, with warnings. Each unknown word is compared with all known ones, so it counts as requests by its size, and leaves the
/// threads that serve connections.
async fn parse(service: &Service, caller: &Caller, text: String) -> Result<Result<Policy, PolicyErrors>, Refusal> {
    service.limits.document(&caller.principal.user_id, text.len())?;
    spawn_blocking(move || Policy::parse(&text)).await.map_err(|error| Refusal::internal(&error))
}

fn answer(found: &Found, warnings: Vec<FindingView>) -> Result<Json<PolicyWithDocument>, Refusal> {
    let document = RawValue::from_string(found.document().trim().to_owned());
    let document = document.map_err(|error| Refusal::internal(&error))?;
    Ok(Json(PolicyWithDocument { policy: found.view(), document, warnings }))
}

/// The model as the store knows it.
fn model_name(model: Model) -> &'static str {
    match model {
        Model::RoleBased => "role",
        Model::IdentityBased => "identity",
    }
}

fn comes_with_clew() -> Refusal {
    Refusal::because(ErrorEntry::IAM_CONFLICT, "policy-of-system", Vec::new())
}

fn refused(errors: &[clew_iam::policy::Finding]) -> Refusal {
    let count = vec![("count", errors.len().to_string())];
    let refusal = Refusal::because(ErrorEntry::IAM_INVALID_BODY, "policy-errors", count);
    Refusal { errors: findings(errors), ..refusal }
}
