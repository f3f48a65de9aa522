//! Route that changes the caller's own password.

use clew_iam::decision::Action;
use clew_model::ApiErrorDefinition;
use clew_store::UserChange;
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{field_validation, is_own_user_id, users};
use crate::api_request::ApiRequest;
use crate::body::{SecretField, parse_json_body};
use crate::error::ApiError;
use crate::iam::auth_attempts::{self, PasswordCheckOutcome};
use crate::passwords;

/// New password of the caller.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// Current password
    #[schema(value_type = String)]
    old: SecretField,
    /// New password, which must differ from the user name and the current password
    #[schema(value_type = String, min_length = 8, max_length = 128)]
    new: SecretField,
}

/// Change the caller's password.
///
/// Changing the password revokes all tokens and temporary access keys of the caller, including the current token.
#[utoipa::path(post, path = "/clew/v1/password", tag = "administration", operation_id = "ChangePassword",
    request_body = PasswordChange,
    responses((status = 204, description = "The password is changed")))]
pub(crate) async fn change_own_password(
    ApiRequest { service, caller, body, .. }: ApiRequest,
) -> Result<StatusCode, ApiError> {
    let id = caller.principal.user_id.to_string();
    if !is_own_user_id(&caller, &id) {
        caller.require_domain_permission(Action::MANAGE_IDENTITIES)?;
    }
    let user = users::find_user(&caller, &id).await?;
    let PasswordChange { old: SecretField(old), new: SecretField(new) } = parse_json_body(&body)?;
    field_validation::check_new_password(&user.name, &new)?;
    if old.expose_secret() == new.expose_secret() {
        return Err(ApiError::invalid_parameter("password-same", Vec::new()));
    }
    // Failed attempts are limited so that an attacker with a stolen token cannot guess the password.
    let (name, peer) = (format!("{}/{}", user.domain_name, user.name), caller.client.map(|connection| connection.ip));
    match auth_attempts::check_password_with_lockout(&service, &name, Some(&user), peer, old).await? {
        PasswordCheckOutcome::Right => {}
        PasswordCheckOutcome::Wrong => {
            return Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "password-old", Vec::new()));
        }
        PasswordCheckOutcome::Locked => return Err(ApiError::new(ApiErrorDefinition::IAM_LOCKED)),
    }
    let change = UserChange { password_hash: Some(passwords::hash_password(new).await?), ..UserChange::default() };
    service.store.identities().update_user(&caller.build_audit_origin(), &user.id, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}
