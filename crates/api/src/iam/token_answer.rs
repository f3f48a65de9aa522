//! What a token is, for the one who has it (spec section 3.2).

use clew_iam::decision::Grant;
use clew_iam::policy::Model;
use clew_store::{Project, User};
use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Service;
use crate::connection::{Connection, reached_by};
use crate::refusal::Refusal;

/// A token without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    token: Token,
}

#[derive(Serialize, ToSchema)]
struct Token {
    /// UTC, with microseconds
    #[schema(example = "2019-02-13T06:52:13.855000Z")]
    expires_at: String,
    issued_at: String,
    methods: Vec<String>,
    /// Not with nocatalog
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog: Option<Vec<CatalogEntry>>,
    /// The role-based policies that reach the user in this scope
    roles: Vec<Role>,
    /// Of a token for a project
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<TokenProject>,
    /// Of a token for the domain
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<TokenDomain>,
    user: TokenUser,
}

/// Where a service is.
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

/// What there is to say of a token. Times are seconds since 1970 (UTC).
pub(super) struct Facts<'a> {
    pub(super) user: &'a User,
    pub(super) project: Option<&'a Project>,
    pub(super) grants: &'a [Grant],
    pub(super) methods: Vec<String>,
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
}

/// Where the client found this server: the catalogue names it so.
pub(super) struct Reached {
    url: String,
}

impl Reached {
    pub(super) fn by(connection: Option<&Connection>, headers: &HeaderMap) -> Self {
        Self { url: reached_by(connection, headers) }
    }
}

impl TokenAnswer {
    /// With a catalogue if it is known where the client found this server.
    pub(super) fn new(service: &Service, facts: Facts<'_>, reached: Option<&Reached>) -> Result<Self, Refusal> {
        let Facts { user, project, grants, methods, issued_at, expires_at } = facts;
        let domain = || TokenDomain { id: user.domain_id.to_string(), name: user.domain_name.clone() };
        let mut roles: Vec<String> = grants
            .iter()
            .filter(|grant| grant.policy.model() == Model::RoleBased)
            .filter(|grant| grant.project.is_none() || grant.project.as_ref() == project.map(|project| &project.id))
            .map(|grant| grant.policy_name.clone())
            .collect();
        roles.sort();
        roles.dedup();
        Ok(Self {
            token: Token {
                expires_at: moment(expires_at)?,
                issued_at: moment(issued_at)?,
                methods,
                catalog: reached.map(|reached| catalog(service, reached, project)),
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

/// As this API writes moments: with six digits of a second.
pub(super) fn moment(seconds: i64) -> Result<String, Refusal> {
    let moment = Timestamp::from_second(seconds).map_err(|error| Refusal::internal(&error))?;
    Ok(moment.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

fn catalog(service: &Service, reached: &Reached, project: Option<&Project>) -> Vec<CatalogEntry> {
    let region = service.store.region();
    let entry = |name: &str, path: String| {
        let endpoint = Endpoint {
            id: name.to_owned(),
            interface: "public",
            region: region.to_owned(),
            region_id: region.to_owned(),
            url: format!("{}{path}", reached.url),
        };
        CatalogEntry { id: name.to_owned(), name: name.to_owned(), r#type: name.to_owned(), endpoints: vec![endpoint] }
    };
    let mut entries = vec![entry("iam", "/v3".to_owned())];
    entries.extend(project.map(|project| entry("gaussdb", format!("/v3/{}", project.id))));
    entries
}
