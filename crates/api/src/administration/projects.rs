//! Routes for projects and enterprise projects. An enterprise project is a group of instances for use in policy conditions.

use clew_store::{EnterpriseProject, EnterpriseProjectChange, Project, ProjectChange};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field_validation::{NameAndDescription, check_description};
use super::{not_found_error, require_identity_read_permission, require_identity_write_permission};
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::NameTaken;
use crate::query_string::{PageParameters, paginate_list, parse_page_parameters};
use crate::request_body::parse_json_body;

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
    /// True if the project can be used
    enabled: bool,
    /// True if users without permission to read full statements see SQL templates instead
    masking: bool,
}

/// A new project.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct CreateProjectRequest(NameAndDescription);

/// Changes to a project. Omitted fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectUpdate {
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// True if the project can be used
    enabled: Option<bool>,
    /// True if users without permission to read full statements see SQL templates instead
    masking: Option<bool>,
}

/// List the projects of the domain.
#[utoipa::path(get, path = "/clew/v1/projects", tag = "administration", operation_id = "ListAdministeredProjects",
    params(PageParameters),
    responses((status = 200, description = "Page of projects, sorted by name", body = ProjectPage)))]
pub(crate) async fn list_projects(ApiRequest { service, caller, query, .. }: ApiRequest) -> ApiResult<ProjectPage> {
    let domain = require_identity_read_permission(&caller)?;
    let page = parse_page_parameters(query.as_deref())?;
    let (projects, total_count) =
        paginate_list(service.store.tenants().list_projects(domain).await?, page, build_project_view);
    Ok(Json(ProjectPage { projects, total_count }))
}

/// Create a project.
#[utoipa::path(post, path = "/clew/v1/projects", tag = "administration", operation_id = "CreateProject",
    request_body = CreateProjectRequest,
    responses((status = 201, description = "The project", body = ProjectView), NameTaken))]
pub(crate) async fn create_project(request: ApiRequest) -> Result<(StatusCode, Json<ProjectView>), ApiError> {
    let ApiRequest { service, caller, body, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let CreateProjectRequest(new) = parse_json_body(&body)?;
    let (name, description) = new.validate()?;
    let id = service.store.tenants().create_project(&origin, domain, &name, &description).await?;
    Ok((StatusCode::CREATED, Json(build_project_view(find_project(&caller, id.as_str()).await?))))
}

/// Change a project.
#[utoipa::path(patch, path = "/clew/v1/projects/{project_id}", tag = "administration", operation_id = "UpdateProject",
    request_body = ProjectUpdate, responses((status = 200, description = "The project", body = ProjectView)))]
pub(crate) async fn update_project(request: ApiRequest<String>) -> ApiResult<ProjectView> {
    let ApiRequest { service, caller, path: id, body, .. } = request;
    let (_, origin) = require_identity_write_permission(&caller)?;
    let ProjectUpdate { description, enabled, masking } = parse_json_body(&body)?;
    let change = ProjectChange { description: check_description(description)?, enabled, masking };
    let project = find_project(&caller, &id).await?;
    service.store.tenants().update_project(&origin, &project.id, &change).await?;
    Ok(Json(build_project_view(find_project(&caller, &id).await?)))
}

pub(super) async fn find_project(caller: &Caller, id: &str) -> Result<Project, ApiError> {
    let found = match id.parse() {
        Ok(id) => caller.service.store.tenants().find_project(&id).await?,
        Err(_) => None,
    };
    found.filter(|found| found.domain_id == caller.principal.domain_id).ok_or_else(|| not_found_error("project", id))
}

fn build_project_view(project: Project) -> ProjectView {
    ProjectView {
        id: project.id.to_string(),
        name: project.name,
        description: project.description,
        enabled: project.enabled,
        masking: project.masking,
    }
}

/// A page of enterprise projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnterpriseProjectPage {
    enterprise_projects: Vec<EnterpriseProjectView>,
    total_count: u64,
}

/// An enterprise project.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnterpriseProjectView {
    /// Id of the enterprise project: a UUID with dashes, or 0 for the default enterprise project
    id: String,
    name: String,
    description: String,
    /// True if instances can be added to the enterprise project
    enabled: bool,
}

/// A new enterprise project.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct CreateEnterpriseProjectRequest(NameAndDescription);

/// Changes to an enterprise project. Omitted fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnterpriseProjectUpdate {
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// True if instances can be added to the enterprise project
    enabled: Option<bool>,
}

/// List the enterprise projects of the domain.
#[utoipa::path(get, path = "/clew/v1/enterprise-projects", tag = "administration",
    operation_id = "ListEnterpriseProjects", params(PageParameters),
    responses((status = 200, description = "Page of enterprise projects: the default enterprise project first, then the others by name", body = EnterpriseProjectPage)))]
pub(crate) async fn list_enterprise_projects(request: ApiRequest) -> ApiResult<EnterpriseProjectPage> {
    let ApiRequest { service, caller, query, .. } = request;
    let domain = require_identity_read_permission(&caller)?;
    let page = parse_page_parameters(query.as_deref())?;
    let (enterprise_projects, total_count) = paginate_list(
        service.store.tenants().list_enterprise_projects(domain).await?,
        page,
        build_enterprise_project_view,
    );
    Ok(Json(EnterpriseProjectPage { enterprise_projects, total_count }))
}

/// Create an enterprise project.
#[utoipa::path(post, path = "/clew/v1/enterprise-projects", tag = "administration",
    operation_id = "CreateEnterpriseProject", request_body = CreateEnterpriseProjectRequest,
    responses((status = 201, description = "The enterprise project", body = EnterpriseProjectView), NameTaken))]
pub(crate) async fn create_enterprise_project(
    ApiRequest { service, caller, body, .. }: ApiRequest,
) -> Result<(StatusCode, Json<EnterpriseProjectView>), ApiError> {
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let CreateEnterpriseProjectRequest(new) = parse_json_body(&body)?;
    let (name, description) = new.validate()?;
    let id = service.store.tenants().create_enterprise_project(&origin, domain, &name, &description).await?;
    Ok((StatusCode::CREATED, Json(build_enterprise_project_view(find_enterprise_project(&caller, &id).await?))))
}

/// Change an enterprise project. The default enterprise project cannot be changed.
#[utoipa::path(patch, path = "/clew/v1/enterprise-projects/{enterprise_project_id}", tag = "administration",
    operation_id = "UpdateEnterpriseProject", request_body = EnterpriseProjectUpdate,
    responses((status = 200, description = "The enterprise project", body = EnterpriseProjectView)))]
pub(crate) async fn update_enterprise_project(request: ApiRequest<String>) -> ApiResult<EnterpriseProjectView> {
    let ApiRequest { service, caller, path: id, body, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let EnterpriseProjectUpdate { description, enabled } = parse_json_body(&body)?;
    let change = EnterpriseProjectChange { description: check_description(description)?, enabled };
    if !service.store.tenants().update_enterprise_project(&origin, domain, &id, &change).await? {
        return Err(not_found_error("enterprise project", &id));
    }
    Ok(Json(build_enterprise_project_view(find_enterprise_project(&caller, &id).await?)))
}

async fn find_enterprise_project(caller: &Caller, id: &str) -> Result<EnterpriseProject, ApiError> {
    let all = caller.service.store.tenants().list_enterprise_projects(&caller.principal.domain_id).await?;
    all.into_iter().find(|one| one.id == id).ok_or_else(|| not_found_error("enterprise project", id))
}

fn build_enterprise_project_view(project: EnterpriseProject) -> EnterpriseProjectView {
    EnterpriseProjectView {
        id: project.id,
        name: project.name,
        description: project.description,
        enabled: project.enabled,
    }
}
