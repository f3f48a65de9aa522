//! Routes for a domain's users and their passwords, including the caller's own password.

use clew_iam::decision::Action;
use clew_iam::name_rule::IDENTITY_NAME_RULE;
use clew_iam::password;
use clew_model::ApiErrorDefinition;
use clew_store::{NewUser, User, UserChange};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    field_validation, is_own_user_id, not_found_error, require_administrator, require_identity_read_permission,
    require_identity_write_permission,
};
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::{LastAdministrator, NameTaken};
use crate::iam::auth_attempts::{self, PasswordCheckOutcome};
use crate::passwords;
use crate::query_string::{PageParameters, paginate_list, parse_page_parameters};
use crate::request_body::{SecretField, parse_json_body};

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPage {
    users: Vec<UserView>,
    total_count: u64,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: String,
    name: String,
    description: String,
    /// True if the user can sign in
    enabled: bool,
    /// True if the user is an administrator and may perform every action in the domain, regardless of policies
    administrator: bool,
}

/// A created user.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedUser {
    #[serde(flatten)]
    user: UserView,
    /// Generated password, returned only in this response
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateUserRequest {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    name: String,
    /// Password, which must differ from the user name; if the field is omitted, Clew generates a password
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128)]
    password: Option<SecretField>,
    /// True if the user is an administrator and may perform every action in the domain, regardless of policies
    #[schema(default = false)]
    administrator: Option<bool>,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// Changes to a user. Omitted fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserUpdate {
    /// New password, which must differ from the user name; the change revokes the user's tokens and temporary keys
    #[schema(value_type = Option<String>, min_length = 8, max_length = 128)]
    password: Option<SecretField>,
    /// True if the user can sign in
    enabled: Option<bool>,
    /// True if the user is an administrator and may perform every action in the domain, regardless of policies
    administrator: Option<bool>,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// List the users of the domain.
#[utoipa::path(get, path = "/clew/v1/users", tag = "administration", operation_id = "ListUsers", params(PageParameters),
    responses((status = 200, description = "Page of users, sorted by name", body = UserPage)))]
pub(crate) async fn list_users(ApiRequest { service, caller, query, .. }: ApiRequest) -> ApiResult<UserPage> {
    let domain = require_identity_read_permission(&caller)?;
    let page = parse_page_parameters(query.as_deref())?;
    let (users, total_count) =
        paginate_list(service.store.identities().list_users(domain).await?, page, build_user_view);
    Ok(Json(UserPage { users, total_count }))
}

/// Create a user.
#[utoipa::path(post, path = "/clew/v1/users", tag = "administration", operation_id = "CreateUser",
    request_body = CreateUserRequest,
    responses((status = 201, description = "The user", body = CreatedUser), NameTaken))]
pub(crate) async fn create_user(request: ApiRequest) -> Result<(StatusCode, Json<CreatedUser>), ApiError> {
    let ApiRequest { service, caller, body, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let CreateUserRequest { name, password: requested, administrator, description } = parse_json_body(&body)?;
    field_validation::check_name(IDENTITY_NAME_RULE, &name)?;
    let description = field_validation::check_description(description)?.unwrap_or_default();
    let administrator = administrator.unwrap_or(false);
    if administrator {
        require_administrator(&caller)?;
    }
    let is_generated = requested.is_none();
    let password = match requested {
        Some(SecretField(requested)) => {
            field_validation::check_new_password(&name, &requested)?;
            requested
        }
        None => password::generate_password().map_err(ApiError::internal_error)?,
    };
    let password_hash = passwords::hash_password(password.clone()).await?;
    let new = NewUser { name, password_hash, administrator, description };
    let id = service.store.identities().create_user(&origin, domain, &new).await?;
    let created = CreatedUser {
        user: build_user_view(find_user(&caller, id.as_str()).await?),
        password: is_generated.then(|| password.expose_secret().to_owned()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Show a user.
#[utoipa::path(get, path = "/clew/v1/users/{user_id}", tag = "administration", operation_id = "ShowUser",
    responses((status = 200, description = "The user", body = UserView)))]
pub(crate) async fn show_user(ApiRequest { caller, path: id, .. }: ApiRequest<String>) -> ApiResult<UserView> {
    require_identity_read_permission(&caller)?;
    Ok(Json(build_user_view(find_user(&caller, &id).await?)))
}

/// Change a user.
#[utoipa::path(patch, path = "/clew/v1/users/{user_id}", tag = "administration", operation_id = "UpdateUser",
    request_body = UserUpdate, responses((status = 200, description = "The user", body = UserView), LastAdministrator))]
pub(crate) async fn update_user(request: ApiRequest<String>) -> ApiResult<UserView> {
    let ApiRequest { service, caller, path: id, body, .. } = request;
    let (_, origin) = require_identity_write_permission(&caller)?;
    let UserUpdate { password, enabled, administrator, description } = parse_json_body(&body)?;
    let description = field_validation::check_description(description)?;
    let mut change = UserChange { password_hash: None, enabled, administrator, description };
    let user = find_user(&caller, &id).await?;
    if user.administrator || change.administrator.is_some() {
        require_administrator(&caller)?;
    }
    if let Some(SecretField(password)) = password {
        field_validation::check_new_password(&user.name, &password)?;
        change.password_hash = Some(passwords::hash_password(password).await?);
    }
    service.store.identities().update_user(&origin, &user.id, &change).await?;
    Ok(Json(build_user_view(find_user(&caller, &id).await?)))
}

/// Delete a user and the user's access keys, tokens and group memberships.
#[utoipa::path(delete, path = "/clew/v1/users/{user_id}", tag = "administration", operation_id = "DeleteUser",
    responses((status = 204, description = "Deleted"), LastAdministrator))]
pub(crate) async fn delete_user(request: ApiRequest<String>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: id, .. } = request;
    let (_, origin) = require_identity_write_permission(&caller)?;
    let user = find_user(&caller, &id).await?;
    if user.administrator {
        require_administrator(&caller)?;
    }
    service.store.identities().remove_user(&origin, &user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn find_user(caller: &Caller, id: &str) -> Result<User, ApiError> {
    let found = match id.parse() {
        Ok(id) => caller.service.store.identities().find_user(&id).await?,
        Err(_) => None,
    };
    found.filter(|found| found.domain_id == caller.principal.domain_id).ok_or_else(|| not_found_error("user", id))
}

fn build_user_view(user: User) -> UserView {
    UserView {
        id: user.id.to_string(),
        name: user.name,
        description: user.description,
        enabled: user.enabled,
        administrator: user.administrator,
    }
}

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
    request_body = PasswordChange, responses((status = 204, description = "The password is changed")))]
pub(crate) async fn change_own_password(request: ApiRequest) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, body, .. } = request;
    let id = caller.principal.user_id.to_string();
    if !is_own_user_id(&caller, &id) {
        caller.require_domain_permission(Action::MANAGE_IDENTITIES)?;
    }
    let user = find_user(&caller, &id).await?;
    let PasswordChange { old: SecretField(old), new: SecretField(new) } = parse_json_body(&body)?;
    field_validation::check_new_password(&user.name, &new)?;
    if old.expose_secret() == new.expose_secret() {
        return Err(ApiError::invalid_parameter("password-same", []));
    }
    // Failed attempts are limited so that an attacker with a stolen token cannot guess the password.
    let (name, peer) = (format!("{}/{}", user.domain_name, user.name), caller.client.map(|connection| connection.ip));
    match auth_attempts::check_password_with_lockout(&service, &name, Some(&user), peer, old).await? {
        PasswordCheckOutcome::Right => {}
        PasswordCheckOutcome::Wrong => {
            return Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "password-old", []));
        }
        PasswordCheckOutcome::Locked => return Err(ApiError::new(ApiErrorDefinition::IAM_LOCKED)),
    }
    let change = UserChange { password_hash: Some(passwords::hash_password(new).await?), ..UserChange::default() };
    service.store.identities().update_user(&caller.build_audit_origin(), &user.id, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}
