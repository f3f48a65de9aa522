//! Wire format of browser sessions. Responses omit the token.

use clew_store::{Project, User};
use jiff::Timestamp;

use crate::prelude::*;
use crate::request_body::SecretField;

/// Credentials for a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInRequest {
    /// Name of the domain
    pub(super) domain: String,
    /// Name of the user
    pub(super) user: String,
    // Optional because the error about a missing password has its own code.
    #[schema(value_type = String)]
    pub(super) password: Option<SecretField>,
}

/// New scope of a browser session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchScopeRequest {
    /// Id of the new project; null for the domain scope, which covers identities, policies and the audit log
    #[schema(required)]
    pub(super) project_id: Option<String>,
}

/// User and scope of a browser session.
#[derive(Serialize, ToSchema)]
pub(crate) struct BrowserSession {
    user: SessionUser,
    domain: NamedReference,
    /// Project that the session is scoped to; null if the session is scoped to the domain
    #[schema(required)]
    project: Option<NamedReference>,
    /// Projects to which the user can switch the session, sorted by name
    projects: Vec<NamedReference>,
    /// Expiry of the session (UTC)
    #[schema(example = "2026-11-28T12:00:00Z")]
    expires_at: String,
    /// CSRF token, which the X-Clew-Csrf header must contain in requests that change data
    csrf_token: String,
    /// Version of Clew
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
struct SessionUser {
    id: String,
    name: String,
    administrator: bool,
}

/// Id and name of a domain or project.
#[derive(Serialize, ToSchema)]
struct NamedReference {
    id: String,
    name: String,
}

impl BrowserSession {
    pub(super) fn new(
        user: &User,
        project: Option<&Project>,
        projects: &[Project],
        expires_at: i64,
        csrf_token: &str,
    ) -> Self {
        let to_id_and_name =
            |project: &Project| NamedReference { id: project.id.to_string(), name: project.name.clone() };
        Self {
            user: SessionUser { id: user.id.to_string(), name: user.name.clone(), administrator: user.administrator },
            domain: NamedReference { id: user.domain_id.to_string(), name: user.domain_name.clone() },
            project: project.map(to_id_and_name),
            projects: projects.iter().map(to_id_and_name).collect(),
            expires_at: Timestamp::from_second(expires_at)
                .map_or_else(|_| String::new(), |timestamp| timestamp.to_string()),
            csrf_token: csrf_token.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
