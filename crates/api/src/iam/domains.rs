//! Routes that return the caller's domain and identity. The SDKs require the domain list (API spec, sections 3.1, 8.3).

use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::iam::projects::{PaginationLinks, SelfLink};
use crate::json::Json;

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

/// List the caller's domains. A caller belongs to exactly one domain.
#[utoipa::path(get, path = "/v3/auth/domains", tag = "identity",
    operation_id = "ListAuthDomains", responses((status = 200, description = "Domain of the caller", body = DomainList)))]
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
#[utoipa::path(get, path = "/v5/caller-identity", tag = "identity",
    operation_id = "ShowCallerIdentity", responses((status = 200, description = "The caller", body = CallerIdentity)))]
pub(crate) async fn show_caller_identity(Caller { principal, .. }: Caller) -> Json<CallerIdentity> {
    Json(CallerIdentity {
        principal_urn: format!("iam::{}:user:{}", principal.domain_id, principal.user_name),
        account_id: principal.domain_id.to_string(),
        principal_id: principal.user_id.to_string(),
    })
}
