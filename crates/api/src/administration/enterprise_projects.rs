//! Enterprise projects of the domain: labels for instances that policies can ask for.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_store::{EnterpriseProject, EnterpriseProjectChange};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{changer, fields, not_found, reader};
use crate::Service;
use crate::body::Body;
use crate::caller::Caller;
use crate::json::Json;
use crate::page::{self, PageParameters};
use crate::refusal::{ErrorBody, Refusal};

/// A page of enterprise projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnterpriseProjectPage {
    enterprise_projects: Vec<EnterpriseProjectView>,
    total_count: u64,
}

/// An enterprise project.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnterpriseProjectView {
    /// A UUID with dashes, or 0 for the default one
    id: String,
    name: String,
    description: String,
    /// Whether instances may be added to it
    enabled: bool,
}

/// An enterprise project to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct EnterpriseProjectCreation {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// What to change; what is left out stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct EnterpriseProjectUpdate {
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// Whether instances may be added to it
    enabled: Option<bool>,
}

/// List the enterprise projects of the domain.
#[utoipa::path(get, path = "/clew/v1/enterprise-projects", tag = "administration", params(PageParameters),
    responses((status = 200, description = "A page of enterprise projects: the default one, then by name", body = EnterpriseProjectPage)))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<EnterpriseProjectPage>, Refusal> {
    let domain = reader(&service, &caller)?;
    let page = page::asked(query.as_deref())?;
    let (enterprise_projects, total_count) = page::cut(service.store.enterprise_projects(domain).await?, page, view);
    Ok(Json(EnterpriseProjectPage { enterprise_projects, total_count }))
}

/// Make an enterprise project.
#[utoipa::path(post, path = "/clew/v1/enterprise-projects", tag = "administration",
    request_body(content = EnterpriseProjectCreation, content_type = "application/json"),
    responses(
        (status = 201, description = "The enterprise project", body = EnterpriseProjectView),
        (status = 409, description = "There is one of this name", body = ErrorBody)
    ))]
pub(crate) async fn create(
    State(service): State<Service>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<EnterpriseProjectView>), Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["name", "description"])?;
    let (name, description) = (fields::name(&body)?, fields::description(&body)?.unwrap_or_default());
    let id = service.store.create_enterprise_project(&origin, domain, &name, &description).await?;
    Ok((StatusCode::CREATED, Json(view(find(&service, &caller, &id).await?))))
}

/// Change an enterprise project. The default one stays as it is.
#[utoipa::path(patch, path = "/clew/v1/enterprise-projects/{enterprise_project_id}", tag = "administration",
    params(("enterprise_project_id" = String, Path)),
    request_body(content = EnterpriseProjectUpdate, content_type = "application/json"),
    responses((status = 200, description = "The enterprise project", body = EnterpriseProjectView)))]
pub(crate) async fn update(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<EnterpriseProjectView>, Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["description", "enabled"])?;
    let change = EnterpriseProjectChange { description: fields::description(&body)?, enabled: body.get("enabled")? };
    if !service.store.update_enterprise_project(&origin, domain, &id, &change).await? {
        return Err(not_found("enterprise project", &id));
    }
    Ok(Json(view(find(&service, &caller, &id).await?)))
}

async fn find(service: &Service, caller: &Caller, id: &str) -> Result<EnterpriseProject, Refusal> {
    let all = service.store.enterprise_projects(&caller.principal.domain_id).await?;
    all.into_iter().find(|one| one.id == id).ok_or_else(|| not_found("enterprise project", id))
}

fn view(one: EnterpriseProject) -> EnterpriseProjectView {
    EnterpriseProjectView { id: one.id, name: one.name, description: one.description, enabled: one.enabled }
}
