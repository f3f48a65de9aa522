//! Routes for permanent access keys. Users may manage their own access keys without a policy.

use clew_iam::access_key;
use clew_iam::decision::Action;
use clew_model::AccessKeyId;
use clew_store::{AccessKeyMetadata, User};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{format_rfc3339_timestamp, is_own_user_id, not_found_error, require_administrator, users};
use crate::AppState;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::TooManyKeys;
use crate::request_body::parse_json_body;

/// Access keys of a user (at most two).
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessKeyList {
    keys: Vec<AccessKeyView>,
    total_count: u64,
}

/// An access key without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessKeyView {
    access_key: String,
    /// True if the key can be used
    enabled: bool,
    created_at: String,
    /// Time at which the access key was last used, with a resolution of one minute
    last_used_at: Option<String>,
}

/// A created access key.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedAccessKey {
    access_key: String,
    /// Secret, returned only in this response
    secret_key: String,
}

/// Change of an access key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessKeyUpdate {
    /// True to enable the access key; false to disable it and to revoke the user's tokens and temporary access keys
    enabled: bool,
}

/// List the access keys of a user.
#[utoipa::path(get, path = "/clew/v1/users/{user_id}/keys", tag = "administration", operation_id = "ListAccessKeys",
    responses((status = 200, description = "Access keys of the user, oldest first", body = AccessKeyList)))]
pub(crate) async fn list_access_keys(request: ApiRequest<String>) -> ApiResult<AccessKeyList> {
    let ApiRequest { service, caller, path: user, .. } = request;
    let user = find_access_key_owner(&caller, Action::LIST_IDENTITIES, &user).await?;
    let keys: Vec<_> =
        service.store.identities().list_access_keys(&user.id).await?.iter().map(build_access_key_view).collect();
    Ok(Json(AccessKeyList { total_count: keys.len() as u64, keys }))
}

/// Create an access key.
#[utoipa::path(post, path = "/clew/v1/users/{user_id}/keys", tag = "administration", operation_id = "CreateAccessKey",
    responses((status = 201, description = "The access key with its secret", body = CreatedAccessKey), TooManyKeys))]
pub(crate) async fn create_access_key(
    ApiRequest { service, caller, path: user, .. }: ApiRequest<String>,
) -> Result<(StatusCode, Json<CreatedAccessKey>), ApiError> {
    let user = find_access_key_owner(&caller, Action::MANAGE_IDENTITIES, &user).await?;
    caller.require_permanent_credentials()?;
    let secret = access_key::generate_secret_key().map_err(ApiError::internal_error)?;
    let id = AccessKeyId::generate();
    service.store.identities().create_access_key(&caller.build_audit_origin(), &user.id, &id, &secret).await?;
    let created = CreatedAccessKey { access_key: id.to_string(), secret_key: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Enable or disable an access key.
#[utoipa::path(patch, path = "/clew/v1/users/{user_id}/keys/{access_key}", tag = "administration",
    operation_id = "UpdateAccessKey", request_body = AccessKeyUpdate,
    responses((status = 200, description = "The access key", body = AccessKeyView)))]
pub(crate) async fn update_access_key(request: ApiRequest<(String, String)>) -> ApiResult<AccessKeyView> {
    let ApiRequest { service, caller, path: (user, key), body, .. } = request;
    let user = find_access_key_owner(&caller, Action::MANAGE_IDENTITIES, &user).await?;
    let AccessKeyUpdate { enabled } = parse_json_body(&body)?;
    if enabled {
        caller.require_permanent_credentials()?;
    }
    let id = find_access_key(&service, &user, &key).await?.id;
    service.store.identities().set_access_key_enabled(&caller.build_audit_origin(), &id, enabled).await?;
    Ok(Json(build_access_key_view(&find_access_key(&service, &user, &key).await?)))
}

/// Delete an access key.
#[utoipa::path(delete, path = "/clew/v1/users/{user_id}/keys/{access_key}", tag = "administration",
    operation_id = "DeleteAccessKey", responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete_access_key(request: ApiRequest<(String, String)>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: (user, key), .. } = request;
    let user = find_access_key_owner(&caller, Action::MANAGE_IDENTITIES, &user).await?;
    let id = find_access_key(&service, &user, &key).await?.id;
    service.store.identities().remove_access_key(&caller.build_audit_origin(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find_access_key_owner(caller: &Caller, action: Action, id: &str) -> Result<User, ApiError> {
    if is_own_user_id(caller, id) {
        return users::find_user(caller, id).await;
    }
    caller.require_domain_permission(action)?;
    let user = users::find_user(caller, id).await?;
    if user.administrator && action == Action::MANAGE_IDENTITIES {
        require_administrator(caller)?;
    }
    Ok(user)
}

async fn find_access_key(service: &AppState, user: &User, id: &str) -> Result<AccessKeyMetadata, ApiError> {
    let keys = service.store.identities().list_access_keys(&user.id).await?;
    keys.into_iter().find(|key| key.id.as_str() == id).ok_or_else(|| not_found_error("access key", id))
}

fn build_access_key_view(key: &AccessKeyMetadata) -> AccessKeyView {
    AccessKeyView {
        access_key: key.id.to_string(),
        enabled: key.enabled,
        created_at: format_rfc3339_timestamp(key.created_at),
        last_used_at: key.last_used_at.map(format_rfc3339_timestamp),
    }
}
