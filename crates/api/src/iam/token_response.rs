//! Response body for the token routes (TaurusDB API spec, section 3.2).

use clew_iam::policy::PermissionModel;
use clew_store::{Project, User};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::{AppState, policy_cache};

/// A token without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    token: Token,
}

#[derive(Serialize, ToSchema)]
struct Token {
    /// Expiry in UTC, with microseconds
    #[schema(example = "2019-02-13T06:52:13.855000Z")]
    expires_at: String,
    issued_at: String,
    methods: Vec<String>,
    /// Service catalog; omitted if the query parameter nocatalog is set
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog: Option<Vec<CatalogEntry>>,
    /// Role-based policies that apply to the user within the scope of the token
    roles: Vec<Role>,
    /// Project that the token is scoped to; absent for a domain token
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<TokenProject>,
    /// Domain that the token is scoped to; absent for a project token
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<TokenDomain>,
    user: TokenUser,
}

/// Endpoints of a service.
#[derive(Serialize, ToSchema)]
struct CatalogEntry {
    id: String,
    name: String,
    r#type: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Serialize, ToSchema)]
struct Endpoint {
    id: String,
    interface: &'static str,
    region: String,
    region_id: String,
    url: String,
}

#[derive(Serialize, ToSchema)]
struct Role {
    id: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct TokenProject {
    id: String,
    name: String,
    domain: TokenDomain,
}

#[derive(Serialize, ToSchema)]
struct TokenDomain {
    id: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct TokenUser {
    id: String,
    name: String,
    password_expires_at: String,
    domain: TokenDomain,
}

/// Times are Unix timestamps in seconds.
pub(crate) struct TokenMetadata {
    pub(crate) methods: Vec<String>,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
}

impl TokenResponse {
    /// The response includes the service catalog only if `server_url` is `Some`.
    pub(super) async fn load(
        service: &AppState,
        user: &User,
        project: Option<&Project>,
        TokenMetadata { methods, issued_at, expires_at }: TokenMetadata,
        server_url: Option<&str>,
    ) -> Result<Self, ApiError> {
        let grants = policy_cache::load_policies(&service.store, &user.id).await?;
        let domain = || TokenDomain { id: user.domain_id.to_string(), name: user.domain_name.clone() };
        let mut roles: Vec<String> = grants
            .iter()
            .filter(|grant| grant.policy.permission_model() == PermissionModel::RoleBased)
            .filter(|grant| grant.project.is_none() || grant.project.as_ref() == project.map(|project| &project.id))
            .map(|grant| grant.policy_name.clone())
            .collect();
        roles.sort();
        roles.dedup();
        Ok(Self {
            token: Token {
                expires_at: format_iam_timestamp(expires_at)?,
                issued_at: format_iam_timestamp(issued_at)?,
                methods,
                catalog: server_url.map(|server_url| build_service_catalog(service, server_url, project)),
                roles: roles.into_iter().map(|name| Role { id: name.clone(), name }).collect(),
                project: project.map(|project| TokenProject {
                    id: project.id.to_string(),
                    name: project.name.clone(),
                    domain: domain(),
                }),
                domain: project.is_none().then(domain),
                user: TokenUser {
                    id: user.id.to_string(),
                    name: user.name.clone(),
                    password_expires_at: String::new(),
                    domain: domain(),
                },
            },
        })
    }
}

pub(super) fn format_iam_timestamp(seconds: i64) -> Result<String, ApiError> {
    let timestamp = Timestamp::from_second(seconds).map_err(ApiError::internal_error)?;
    Ok(timestamp.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

fn build_service_catalog(service: &AppState, server_url: &str, project: Option<&Project>) -> Vec<CatalogEntry> {
    let region = service.store.region();
    let entry = |name: &str, path: String| {
        let endpoint = Endpoint {
            id: name.to_owned(),
            interface: "public",
            region: region.to_owned(),
            region_id: region.to_owned(),
            url: format!("{server_url}{path}"),
        };
        CatalogEntry { id: name.to_owned(), name: name.to_owned(), r#type: name.to_owned(), endpoints: vec![endpoint] }
    };
    let mut entries = vec![entry("iam", "/v3".to_owned())];
    entries.extend(project.map(|project| entry("gaussdb", format!("/v3/{}", project.id))));
    entries
}
