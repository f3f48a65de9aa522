//! Group memberships.

use http::StatusCode;

use super::{groups, not_found_error, require_identity_write_permission, users};
use crate::api_request::ApiRequest;
use crate::error::{ApiError, ErrorBody};

/// Add a user to a group.
#[utoipa::path(put, path = "/clew/v1/groups/{group_id}/members/{user_id}", tag = "administration",
    operation_id = "AddUserToGroup", responses(
        (status = 204, description = "The user is a member of the group"),
        (status = 409, description = "The membership would exceed the policy limit of the user", body = ErrorBody)
    ))]
pub(crate) async fn add_group_member(
    ApiRequest { service, caller, path: (group, user), .. }: ApiRequest<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (_, origin) = require_identity_write_permission(&caller)?;
    let group = groups::find_group(&caller, &group).await?;
    let user = users::find_user(&caller, &user).await?;
    service.store.identities().add_group_member(&origin, &group.id, &user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a user from a group.
#[utoipa::path(delete, path = "/clew/v1/groups/{group_id}/members/{user_id}", tag = "administration",
    operation_id = "RemoveUserFromGroup",
    responses((status = 204, description = "The user is not a member of the group")))]
pub(crate) async fn remove_group_member(
    ApiRequest { service, caller, path: (group, user), .. }: ApiRequest<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (_, origin) = require_identity_write_permission(&caller)?;
    let group = groups::find_group(&caller, &group).await?;
    let user = users::find_user(&caller, &user).await?;
    if !service.store.identities().remove_group_member(&origin, &group.id, &user.id).await? {
        return Err(not_found_error("member", user.id.as_str()));
    }
    Ok(StatusCode::NO_CONTENT)
}
