//! Routes that validate or revoke the token in the `X-Subject-Token` header (TaurusDB API spec, section 3.2).

use axum::response::{IntoResponse, Response};
use clew_iam::decision::Action;
use clew_iam::token;
use clew_model::ApiErrorDefinition;
use clew_store::StoredToken;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use crate::api_request::{ApiRequest, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::{InvalidSubjectTokenRequest, MissingSubjectToken, UnknownSubjectToken};
use crate::iam::token_response::{TokenMetadata, TokenResponse};
use crate::query_string::QueryString;

const SUBJECT_TOKEN_HEADER: &str = "x-subject-token";

/// Validate a token and show its details. For another user's token, the caller needs permission to list identities.
#[utoipa::path(get, path = "/v3/auth/tokens", tag = "identity", operation_id = "ShowToken",
    params(
        ("X-Subject-Token" = String, Header, description = "The token to validate"),
        ("nocatalog" = Option<String>, Query, description = "Any non-empty value omits the catalog")
    ),
    responses(
        (status = 200, description = "The token is valid", body = TokenResponse, headers(("X-Subject-Token" = String))),
        InvalidSubjectTokenRequest, UnknownSubjectToken
    ))]
pub(crate) async fn show_token(request: ApiRequest) -> Result<Response, ApiError> {
    let ApiRequest { service, caller, query, headers, .. } = request;
    let with_catalog = QueryString::parse(query.as_deref())?.get("nocatalog").is_none_or(str::is_empty);
    let (given, stored) = find_subject_token(&caller, Action::LIST_IDENTITIES, &headers).await?;
    let StoredToken { user, scope_project, issued_by_methods, issued_at, expires_at, .. } = stored;
    let project = match &scope_project {
        Some(id) => service.store.tenants().find_project(id).await?,
        None => None,
    };
    let metadata = TokenMetadata { methods: issued_by_methods, issued_at, expires_at };
    let server_url = with_catalog.then(|| clew_http::base_url_from_request(caller.client.as_ref(), &headers));
    let body = TokenResponse::load(&service, &user, project.as_ref(), metadata, server_url.as_deref()).await?;
    let mut response = Json(body).into_response();
    response.headers_mut().insert(SUBJECT_TOKEN_HEADER, given);
    Ok(response)
}

/// Revoke a token. Revoking another user's token requires permission to manage identities.
#[utoipa::path(delete, path = "/v3/auth/tokens", tag = "identity", operation_id = "RevokeToken",
    params(("X-Subject-Token" = String, Header, description = "The token to revoke")),
    responses((status = 204, description = "Revoked"), MissingSubjectToken, UnknownSubjectToken))]
pub(crate) async fn revoke_token(request: ApiRequest) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, headers, .. } = request;
    let (given, _) = find_subject_token(&caller, Action::MANAGE_IDENTITIES, &headers).await?;
    service.store.identities().revoke_token(&caller.build_audit_origin(), &hash_subject_token(&given)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A caller needs the permission for `action` only for the tokens of other users.
/// The error is the same for unknown and inaccessible tokens.
async fn find_subject_token(
    caller: &Caller,
    action: Action,
    headers: &HeaderMap,
) -> Result<(HeaderValue, StoredToken), ApiError> {
    let mut given = headers.get_all(SUBJECT_TOKEN_HEADER).iter();
    let (Some(given), None) = (given.next(), given.next()) else {
        return Err(ApiError::new(ApiErrorDefinition::IAM_SUBJECT_TOKEN));
    };
    let stored = caller.service.store.identities().find_token(&hash_subject_token(given)).await?.filter(|stored| {
        let is_valid = !stored.revoked && stored.user.enabled && stored.expires_at > Timestamp::now().as_second();
        let same_user = stored.user.id == caller.principal.user_id;
        let same_domain = stored.user.domain_id == caller.principal.domain_id;
        is_valid && (same_user || same_domain && caller.require_domain_permission(action).is_ok())
    });
    let stored = stored.ok_or_else(|| ApiError::with_detail(ApiErrorDefinition::IAM_UNKNOWN, "iam-no-token", []))?;
    Ok((given.clone(), stored))
}

fn hash_subject_token(token: &HeaderValue) -> [u8; 32] {
    token::hash_token(token.to_str().unwrap_or_default())
}
