//! Handlers that list projects and domains, and show the identity of the caller.
//! SDKs call `KeystoneListProjects` to find a region's project (API spec, section 3.1).

use clew_iam::decision::Grant;
use clew_model::DomainId;
use clew_store::{Project, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::field_errors::invalid_field_error;
use crate::query_string::QueryString;

/// List of projects with links.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectList {
    links: PaginationLinks,
    projects: Vec<ProjectEntry>,
}

/// Links of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaginationLinks {
    #[serde(rename = "self")]
    pub(crate) own: String,
    pub(crate) previous: Option<String>,
    pub(crate) next: Option<String>,
}

/// Link of an object.
#[derive(Serialize, ToSchema)]
pub(crate) struct SelfLink {
    #[serde(rename = "self")]
    pub(crate) own: String,
}

/// A project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectEntry {
    is_domain: bool,
    description: String,
    links: SelfLink,
    enabled: bool,
    id: String,
    parent_id: String,
    domain_id: String,
    name: String,
}

/// List the projects of the caller's domain.
#[utoipa::path(get, path = "/v3/projects", tag = "identity", operation_id = "ListProjects",
    params(
        ("name" = Option<String>, Query, description = "Project name; the SDKs of the cloud send a region name"),
        ("domain_id" = Option<String>, Query), ("parent_id" = Option<String>, Query),
        ("enabled" = Option<bool>, Query), ("is_domain" = Option<bool>, Query),
        ("page" = Option<u32>, Query, description = "Page number, starting at 1; requires per_page"),
        ("per_page" = Option<u32>, Query, description = "Number of projects per page, from 1 to 5000; requires page")
    ),
    responses((status = 200, description = "List of projects", body = ProjectList)))]
pub(crate) async fn list_projects(request: ApiRequest) -> ApiResult<ProjectList> {
    let ApiRequest { service, caller: Caller { principal, .. }, query: raw, .. } = request;
    let query = QueryString::parse(raw.as_deref())?;
    let (enabled, is_domain) =
        (parse_boolean_parameter(&query, "enabled")?, parse_boolean_parameter(&query, "is_domain")?);
    let matches = |name: &str, value: &str| query.get(name).is_none_or(|given| given == value);
    let mut projects = service.store.tenants().list_projects(&principal.domain_id).await?;
    projects.retain(|project| {
        matches("name", &project.name)
            && matches("domain_id", project.domain_id.as_str())
            && matches("parent_id", project.domain_id.as_str())
            && enabled.is_none_or(|enabled| enabled == project.enabled)
            && is_domain != Some(true)
    });
    let own = format!("/v3/projects{}", raw.map_or(String::new(), |raw| format!("?{raw}")));
    let mut links = PaginationLinks { own, previous: None, next: None };
    if let Some((page, per_page)) = parse_page_number_and_size(&query)? {
        let link =
            |page: usize| format!("/v3/projects?{}", query.encode_with_replaced_parameter("page", &page.to_string()));
        let offset = (page - 1).saturating_mul(per_page);
        links.previous = (page > 1).then(|| link(page - 1));
        links.next = (projects.len() > offset.saturating_add(per_page)).then(|| link(page + 1));
        projects = projects.into_iter().skip(offset).take(per_page).collect();
    }
    Ok(Json(ProjectList { links, projects: projects.into_iter().map(build_project_entry).collect() }))
}

/// List the enabled projects to which the caller's policies apply or, for an administrator, all enabled projects.
#[utoipa::path(get, path = "/v3/auth/projects", tag = "identity", operation_id = "ListAuthProjects",
    responses((status = 200, description = "List of projects", body = ProjectList)))]
pub(crate) async fn list_caller_projects(request: ApiRequest) -> ApiResult<ProjectList> {
    let ApiRequest { service, caller: Caller { principal, .. }, .. } = request;
    let projects =
        load_accessible_projects(&service, &principal.domain_id, principal.administrator, &principal.grants).await?;
    let links = PaginationLinks { own: "/v3/auth/projects".to_owned(), previous: None, next: None };
    Ok(Json(ProjectList { links, projects: projects.into_iter().map(build_project_entry).collect() }))
}

pub(crate) async fn load_accessible_projects(
    service: &AppState,
    domain: &DomainId,
    administrator: bool,
    grants: &[Grant],
) -> Result<Vec<Project>, StoreError> {
    let mut projects = service.store.tenants().list_projects(domain).await?;
    let is_granted = |project: &Project| {
        administrator || grants.iter().any(|grant| grant.project.as_ref().is_none_or(|only| *only == project.id))
    };
    projects.retain(|project| project.enabled && is_granted(project));
    Ok(projects)
}

fn build_project_entry(project: Project) -> ProjectEntry {
    ProjectEntry {
        is_domain: false,
        description: project.description,
        links: SelfLink { own: format!("/v3/projects/{}", project.id) },
        enabled: project.enabled,
        id: project.id.to_string(),
        parent_id: project.domain_id.to_string(),
        domain_id: project.domain_id.to_string(),
        name: project.name,
    }
}

/// A request must contain both `page` and `per_page`, or neither.
/// Page numbers start at 1.
fn parse_page_number_and_size(query: &QueryString) -> Result<Option<(usize, usize)>, ApiError> {
    match (query.get("page"), query.get("per_page")) {
        (None, None) => Ok(None),
        (Some(page), Some(per_page)) => Ok(Some((
            parse_positive_number("page", page, usize::MAX)?,
            parse_positive_number("per_page", per_page, 5000)?,
        ))),
        (Some(given), None) => Err(invalid_field_error("page", given)),
        (None, Some(given)) => Err(invalid_field_error("per_page", given)),
    }
}

fn parse_positive_number(name: &'static str, given: &str, max: usize) -> Result<usize, ApiError> {
    given.parse().ok().filter(|number| (1..=max).contains(number)).ok_or_else(|| invalid_field_error(name, given))
}

fn parse_boolean_parameter(query: &QueryString, name: &'static str) -> Result<Option<bool>, ApiError> {
    match query.get(name) {
        None => Ok(None),
        Some(given) if given.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(given) if given.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(given) => Err(invalid_field_error(name, given)),
    }
}

/// List of domains with links.
#[derive(Serialize, ToSchema)]
pub(crate) struct DomainList {
    domains: Vec<DomainEntry>,
    links: PaginationLinks,
}

/// A domain.
#[derive(Serialize, ToSchema)]
pub(crate) struct DomainEntry {
    enabled: bool,
    id: String,
    name: String,
    links: SelfLink,
    description: String,
}

/// List the caller's domains. Every caller belongs to exactly one domain.
#[utoipa::path(get, path = "/v3/auth/domains", tag = "identity", operation_id = "ListAuthDomains",
    responses((status = 200, description = "Domain of the caller", body = DomainList)))]
pub(crate) async fn list_domains(Caller { principal, .. }: Caller) -> Json<DomainList> {
    let domain = DomainEntry {
        enabled: true,
        links: SelfLink { own: format!("/v3/domains/{}", principal.domain_id) },
        id: principal.domain_id.to_string(),
        name: principal.domain_name,
        description: String::new(),
    };
    let links = PaginationLinks { own: "/v3/auth/domains".to_owned(), previous: None, next: None };
    Json(DomainList { domains: vec![domain], links })
}

/// Identity of the caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallerIdentity {
    account_id: String,
    principal_id: String,
    principal_urn: String,
}

/// Show the identity of the caller.
#[utoipa::path(get, path = "/v5/caller-identity", tag = "identity", operation_id = "ShowCallerIdentity",
    responses((status = 200, description = "The caller", body = CallerIdentity)))]
pub(crate) async fn show_caller_identity(Caller { principal, .. }: Caller) -> Json<CallerIdentity> {
    Json(CallerIdentity {
        principal_urn: format!("iam::{}:user:{}", principal.domain_id, principal.user_name),
        account_id: principal.domain_id.to_string(),
        principal_id: principal.user_id.to_string(),
    })
}
