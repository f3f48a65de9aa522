//! Creates tokens for users who authenticate with a password (TaurusDB API spec, section 3.2).

use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use clew_http::base_url_from_request;
use clew_iam::token;
use clew_model::{ApiErrorDefinition, ProjectId};
use clew_store::{NewToken, Project, TokenOrigin, User};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tracing::info;

use crate::api_request::Json;
use crate::audit::AuditContext;
use crate::authentication::read_request_body;
use crate::error::ApiError;
use crate::error_responses::{InvalidField, ScopeDenied, WrongPassword};
use crate::iam::auth_attempts::authenticate_by_password;
use crate::iam::sign_in::{DomainRef, PasswordSignInRequest, ProjectRef, RequestedTokenScope, TokenRequest};
use crate::iam::token_response::{TokenMetadata, TokenResponse};
use crate::query_string::QueryString;
use crate::{AppState, SharedState, limits};

/// Create a token with a user name and password. The scope of the token is a project or the domain.
#[utoipa::path(post, path = "/v3/auth/tokens", tag = "identity", operation_id = "CreateToken", security(()),
    params(("nocatalog" = Option<String>, Query, description = "Any non-empty value omits the catalog")),
    request_body = TokenRequest,
    responses(
        (status = 201, description = "The token is in X-Subject-Token", body = TokenResponse, headers(("X-Subject-Token" = String))),
        InvalidField, WrongPassword, ScopeDenied
    ))]
pub(crate) async fn create_token(
    State(service): State<SharedState>,
    Extension(audit_context): Extension<AuditContext>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, ApiError> {
    let with_catalog = QueryString::parse(query.as_deref())?.get("nocatalog").is_none_or(str::is_empty);
    let (parts, body) = request.into_parts();
    let sign_in = PasswordSignInRequest::parse(&read_request_body(body, &service.settings).await?)?;
    let peer = limits::client_ip(&parts.extensions);
    let user = authenticate_by_password(&service, &audit_context, peer, &sign_in.user, sign_in.password).await?;
    let project = find_requested_project(&service, &user, &sign_in.scope).await?;
    let IssuedToken { secret, metadata } =
        issue_token(&service, &user, project.as_ref(), TokenOrigin::Api, "password", None).await?;
    info!(user.id = %user.id, "user signed in");
    audit_context.add_detail("scope", describe_token_scope(project.as_ref()));
    let server_url = with_catalog.then(|| base_url_from_request(parts.extensions.get(), &parts.headers));
    let body = TokenResponse::load(&service, &user, project.as_ref(), metadata, server_url.as_deref()).await?;
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let value = HeaderValue::from_str(secret.expose_secret()).map_err(ApiError::internal_error)?;
    response.headers_mut().insert("x-subject-token", value);
    Ok(response)
}

async fn find_requested_project(
    service: &AppState,
    user: &User,
    scope: &RequestedTokenScope,
) -> Result<Option<Project>, ApiError> {
    let forbidden = || ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "iam-scope", []);
    let is_own = |domain: &DomainRef| {
        domain.id.as_ref().is_none_or(|id| id == user.domain_id.as_str())
            && domain.name.as_ref().is_none_or(|name| *name == user.domain_name)
    };
    match scope {
        RequestedTokenScope::Unscoped => Ok(None),
        RequestedTokenScope::Domain(domain) if is_own(domain) => Ok(None),
        RequestedTokenScope::Project { project, domain } if is_own(domain) => {
            let project = match project {
                ProjectRef::Id(id) => {
                    let id: ProjectId = id.parse().map_err(|_| forbidden())?;
                    service.store.tenants().find_project(&id).await?
                }
                ProjectRef::Name(name) => service.store.tenants().find_project_by_name(&user.domain_id, name).await?,
            };
            let project = project.filter(|project| project.enabled && project.domain_id == user.domain_id);
            project.map(Some).ok_or_else(forbidden)
        }
        RequestedTokenScope::Domain(_) | RequestedTokenScope::Project { .. } => Err(forbidden()),
    }
}

pub(crate) struct IssuedToken {
    pub(crate) secret: SecretString,
    pub(crate) metadata: TokenMetadata,
}

/// The store contains only the hash of the token.
/// The token expires after the configured token lifetime or at `latest`, whichever is earlier.
pub(crate) async fn issue_token(
    service: &AppState,
    user: &User,
    project: Option<&Project>,
    origin: TokenOrigin,
    method: &str,
    latest: Option<i64>,
) -> Result<IssuedToken, ApiError> {
    let issued_at = Timestamp::now().as_second();
    let life = i64::try_from(service.settings.token_lifetime.as_secs()).map_err(ApiError::internal_error)?;
    let expires_at = issued_at.saturating_add(life).min(latest.unwrap_or(i64::MAX));
    let secret = token::generate_token().map_err(ApiError::internal_error)?;
    let methods = vec![method.to_owned()];
    let new = NewToken {
        hash: token::hash_token(secret.expose_secret()),
        user_id: user.id.clone(),
        scope_project: project.map(|project| project.id.clone()),
        issued_by_methods: methods.clone(),
        issued_at,
        expires_at,
        origin,
    };
    service.store.identities().insert_token(&new).await?;
    remove_expired_tokens(service, issued_at).await;
    Ok(IssuedToken { secret, metadata: TokenMetadata { methods, issued_at, expires_at } })
}

pub(crate) fn describe_token_scope(project: Option<&Project>) -> String {
    project.map_or_else(|| "domain".to_owned(), |project| format!("project {}", project.id))
}

/// Clew keeps expired tokens for at least one day, so that error messages can distinguish expired and unknown tokens.
async fn remove_expired_tokens(service: &AppState, now: i64) {
    if let Err(error) = service.store.identities().remove_credentials_expired_before(now - 24 * 3600).await {
        tracing::warn!(%error, "cannot remove expired tokens");
    }
}
