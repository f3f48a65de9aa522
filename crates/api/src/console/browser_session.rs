//! Routes for browser sessions. The browser stores the session token in a cookie. Response bodies omit the token.

use axum::Extension;
use axum::extract::{Request, State};
use clew_http::ClientAddr;
use clew_iam::decision::CredentialScope;
use clew_iam::token;
use clew_model::ApiErrorDefinition;
use clew_store::{Project, TokenOrigin, User};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use super::csrf;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::audit::AuditContext;
use crate::authentication::{SESSION_COOKIE, read_request_body};
use crate::caller::{Caller, CredentialRef, ValidToken};
use crate::error::ApiError;
use crate::error_responses::{
    CrossSiteRequest, InvalidField, NotFromBrowser, NotFromWebPage, ProjectSwitchDenied, WrongPassword,
};
use crate::iam::auth_attempts::authenticate_by_password;
use crate::iam::projects::load_accessible_projects;
use crate::iam::sign_in::{UserRef, missing_sign_in_field_error};
use crate::iam::tokens::{IssuedToken, describe_token_scope, issue_token};
use crate::request_body::{SecretField, parse_json_body};
use crate::{SharedState, limits, policy_cache};

/// Credentials for a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInRequest {
    /// Name of the domain
    domain: String,
    /// Name of the user
    user: String,
    // Optional because the error about a missing password has its own code.
    #[schema(value_type = String)]
    password: Option<SecretField>,
}

/// New scope of a browser session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchScopeRequest {
    /// Id of the project to switch to; null for the domain scope, which covers identities, policies and the audit log
    #[schema(required)]
    project_id: Option<String>,
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
    fn new(user: &User, project: Option<&Project>, projects: &[Project], expires_at: i64, csrf_token: &str) -> Self {
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

type SetCookieHeader = [(HeaderName, HeaderValue); 1];

/// Sign in with user name and password. The response sets the token as an HttpOnly cookie.
#[utoipa::path(post, path = "/clew/v1/console/session", tag = "console", operation_id = "CreateConsoleSession",
    security(()), request_body = SignInRequest,
    responses(
        (status = 201, description = "Session for the user's first project by name, or for the domain if the user can access no project", body = BrowserSession, headers(("Set-Cookie" = String))),
        InvalidField, WrongPassword, CrossSiteRequest
    ))]
pub(crate) async fn create_browser_session(
    State(service): State<SharedState>,
    Extension(audit_context): Extension<AuditContext>,
    request: Request,
) -> Result<(StatusCode, SetCookieHeader, Json<BrowserSession>), ApiError> {
    let (parts, body) = request.into_parts();
    // Prevents login CSRF, in which another site signs the browser in as a different user.
    csrf::check_request_origin(&parts.method, &parts.headers)?;
    let body = read_request_body(body, &service.settings).await?;
    let SignInRequest { domain, user, password } = parse_json_body(&body)?;
    let SecretField(password) = password.ok_or_else(|| missing_sign_in_field_error("password"))?;
    let (peer, user) = (limits::client_ip(&parts.extensions), UserRef::Name { domain, user });
    let user = authenticate_by_password(&service, &audit_context, peer, &user, password).await?;
    let grants = policy_cache::load_policies(&service.store, &user.id).await?;
    let projects =
        sort_projects_by_name(load_accessible_projects(&service, &user.domain_id, user.administrator, &grants).await?);
    let project = projects.first();
    let issued = issue_token(&service, &user, project, TokenOrigin::Console, "password", None).await?;
    info!(user.id = %user.id, "user signed in on the web page");
    audit_context.add_detail("scope", describe_token_scope(project));
    let cookie = build_session_cookie(&issued, &parts.headers, parts.extensions.get())?;
    let (headers, session) = build_browser_session_response(&issued, &user, project, &projects, cookie);
    Ok((StatusCode::CREATED, headers, session))
}

/// Show the user and scope of the session.
#[utoipa::path(get, path = "/clew/v1/console/session", tag = "console", operation_id = "ShowConsoleSession",
    responses((status = 200, description = "The browser session", body = BrowserSession), NotFromBrowser))]
pub(crate) async fn show_browser_session(ApiRequest { service, caller, .. }: ApiRequest) -> ApiResult<BrowserSession> {
    let token_info = require_token_credentials(&caller)?;
    let projects = load_caller_projects(&caller).await?;
    let project = match &caller.principal.scope {
        CredentialScope::Project(id) => service.store.tenants().find_project(id).await?,
        CredentialScope::AccessKey | CredentialScope::Domain => None,
    };
    let user = load_user(&caller).await?;
    let session =
        BrowserSession::new(&user, project.as_ref(), &projects, token_info.expires_at, &token_info.csrf_token);
    Ok(Json(session))
}

/// Sign out and revoke the token.
#[utoipa::path(delete, path = "/clew/v1/console/session", tag = "console", operation_id = "EndConsoleSession",
    responses((status = 204, description = "Signed out", headers(("Set-Cookie" = String))), NotFromWebPage))]
pub(crate) async fn delete_browser_session(
    request: ApiRequest,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2]), ApiError> {
    let ApiRequest { service, caller, headers, .. } = request;
    let token_info = require_token_credentials(&caller)?;
    service.store.identities().revoke_token(&caller.build_audit_origin(), &token_info.hash).await?;
    let removed = SESSION_COOKIE.build_set_cookie_header("", 0, &headers, caller.client.as_ref())?;
    Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (SET_COOKIE, removed)]))
}

/// Change the scope of the session to another project or to the domain.
///
/// The browser session gets a new token that expires at the same time as the previous token.
/// Only sessions created by a sign-in on the web page can change their scope; tokens from POST /v3/auth/tokens cannot.
#[utoipa::path(post, path = "/clew/v1/console/session/project", tag = "console", operation_id = "ChooseConsoleProject",
    request_body = SwitchScopeRequest,
    responses(
        (status = 200, description = "The browser session", body = BrowserSession, headers(("Set-Cookie" = String))),
        InvalidField, ProjectSwitchDenied
    ))]
pub(crate) async fn switch_project(request: ApiRequest) -> Result<(SetCookieHeader, Json<BrowserSession>), ApiError> {
    let ApiRequest { service, caller, headers, body, .. } = request;
    let token_info = require_token_credentials(&caller)?;
    // An API token cannot change its scope; otherwise, a project token could become a domain token.
    if token_info.origin != TokenOrigin::Console {
        return Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "session-of-console", []));
    }
    let SwitchScopeRequest { project_id: requested } = parse_json_body(&body)?;
    let projects = load_caller_projects(&caller).await?;
    let project = match requested {
        None => None,
        Some(id) => {
            let found = projects.iter().find(|project| project.id.as_str() == id);
            let forbidden = || ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "iam-scope", []);
            Some(found.ok_or_else(forbidden)?)
        }
    };
    let user = load_user(&caller).await?;
    // The old token is revoked first so that only one of two concurrent requests gets a new token.
    // If a later step fails, the session is left without a valid token.
    if !service.store.identities().revoke_token(&caller.build_audit_origin(), &token_info.hash).await? {
        return Err(ApiError::with_detail(ApiErrorDefinition::TOKEN_EXPIRED, "auth-token-revoked", []));
    }
    let issued =
        issue_token(&service, &user, project, TokenOrigin::Console, "token", Some(token_info.expires_at)).await?;
    caller.audit.add_detail("scope", describe_token_scope(project));
    let cookie = build_session_cookie(&issued, &headers, caller.client.as_ref())?;
    Ok(build_browser_session_response(&issued, &user, project, &projects, cookie))
}

fn build_browser_session_response(
    issued: &IssuedToken,
    user: &User,
    project: Option<&Project>,
    projects: &[Project],
    cookie: HeaderValue,
) -> (SetCookieHeader, Json<BrowserSession>) {
    let csrf = token::derive_csrf_token(issued.secret.expose_secret());
    let session = BrowserSession::new(user, project, projects, issued.metadata.expires_at, &csrf);
    ([(SET_COOKIE, cookie)], Json(session))
}

fn build_session_cookie(
    issued: &IssuedToken,
    headers: &HeaderMap,
    connection: Option<&ClientAddr>,
) -> Result<HeaderValue, ApiError> {
    let left = issued.metadata.expires_at - Timestamp::now().as_second();
    Ok(SESSION_COOKIE.build_set_cookie_header(issued.secret.expose_secret(), left, headers, connection)?)
}

fn require_token_credentials(caller: &Caller) -> Result<&ValidToken, ApiError> {
    match &caller.credential_ref {
        CredentialRef::Token(token_info) => Ok(token_info),
        CredentialRef::Key(_) => {
            Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "session-of-a-token", []))
        }
    }
}

async fn load_caller_projects(caller: &Caller) -> Result<Vec<Project>, ApiError> {
    let principal = &caller.principal;
    Ok(sort_projects_by_name(
        load_accessible_projects(&caller.service, &principal.domain_id, principal.administrator, &principal.grants)
            .await?,
    ))
}

fn sort_projects_by_name(mut projects: Vec<Project>) -> Vec<Project> {
    projects.sort_by(|one, other| one.name.cmp(&other.name));
    projects
}

async fn load_user(caller: &Caller) -> Result<User, ApiError> {
    let user = caller.service.store.identities().find_user(&caller.principal.user_id).await?;
    // A missing user has been deleted since the request was authenticated.
    user.ok_or_else(|| ApiError::with_detail(ApiErrorDefinition::TOKEN_EXPIRED, "auth-token-revoked", []))
}
