//! Projects of the domain.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_store::{Project, ProjectChange};
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

/// A page of projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectPage {
    projects: Vec<ProjectView>,
    total_count: u64,
}

/// A project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectView {
    id: String,
    name: String,
    description: String,
    /// Whether it may be used
    enabled: bool,
    /// Whether statements are shown as templates to whoever may not see them whole
    masking: bool,
}

/// A project to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct ProjectCreation {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// What to change; what is left out stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct ProjectUpdate {
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// Whether it may be used
    enabled: Option<bool>,
    /// Whether statements are shown as templates to whoever may not see them whole
    masking: Option<bool>,
}

/// List the projects of the domain.
#[utoipa::path(get, path = "/clew/v1/projects", tag = "administration", params(PageParameters),
    responses((status = 200, description = "A page of projects, by name", body = ProjectPage)))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<ProjectPage>, Refusal> {
    let domain = reader(&service, &caller)?;
    let page = page::asked(query.as_deref())?;
    let (projects, total_count) = page::cut(service.store.projects_of(domain).await?, page, view);
    Ok(Json(ProjectPage { projects, total_count }))
}

/// Make a project.
#[utoipa::path(post, path = "/clew/v1/projects", tag = "administration",
    request_body(content = ProjectCreation, content_type = "application/json"),
    responses(
        (status = 201, description = "The project", body = ProjectView),
        (status = 409, description = "There is one of this name", body = ErrorBody)
    ))]
pub(crate) async fn create(
    State(service): State<Service>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<ProjectView>), Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["name", "description"])?;
    let (name, description) = (fields::name(&body)?, fields::description(&body)?.unwrap_or_default());
    let id = service.store.create_project(&origin, domain, &name, &description).await?;
    Ok((StatusCode::CREATED, Json(view(find(&service, &caller, id.as_str()).await?))))
}

/// Change a project.
#[utoipa::path(patch, path = "/clew/v1/projects/{project_id}", tag = "administration",
    params(("project_id" = String, Path)),
    request_body(content = ProjectUpdate, content_type = "application/json"),
    responses((status = 200, description = "The project", body = ProjectView)))]
pub(crate) async fn update(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ProjectView>, Refusal> {
    let (_, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["description", "enabled", "masking"])?;
    let change = ProjectChange {
        description: fields::description(&body)?,
        enabled: body.get("enabled")?,
        masking: body.get("masking")?,
    };
    let project = find(&service, &caller, &id).await?;
    service.store.update_project(&origin, &project.id, &change).await?;
    Ok(Json(view(find(&service, &caller, &id).await?)))
}

/// A project of the caller's domain.
pub(super) async fn find(service: &Service, caller: &Caller, id: &str) -> Result<Project, Refusal> {
    let found = match id.parse() {
        Ok(id) => service.store.project(&id).await?,
        Err(_) => None,
    };
    found.filter(|found| found.domain_id == caller.principal.domain_id).ok_or_else(|| not_found("project", id))
}

fn view(project: Project) -> ProjectView {
    ProjectView {
        id: project.id.to_string(),
        name: project.name,
        description: project.description,
        enabled: project.enabled,
        masking: project.masking,
    }
}
