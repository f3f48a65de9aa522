//! Routes for the domain's user groups and their members.

use clew_store::{Group, User};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field_validation::NameAndDescription;
use super::{not_found_error, require_identity_read_permission, require_identity_write_permission, users};
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::{MembershipOverPolicyLimit, NameTaken};
use crate::query_string::{PageParameters, paginate_list, parse_page_parameters};
use crate::request_body::parse_json_body;

/// A page of groups.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupPage {
    groups: Vec<GroupView>,
    total_count: u64,
}

/// A group.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupView {
    id: String,
    name: String,
    description: String,
}

/// A group with its members.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupWithMembers {
    #[serde(flatten)]
    group: GroupView,
    /// Members ordered by name
    members: Vec<MemberView>,
}

/// A member of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberView {
    id: String,
    name: String,
}

/// A new group.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct CreateGroupRequest(NameAndDescription);

/// List the groups of the domain.
#[utoipa::path(get, path = "/clew/v1/groups", tag = "administration", operation_id = "ListGroups",
    params(PageParameters),
    responses((status = 200, description = "Page of groups, sorted by name", body = GroupPage)))]
pub(crate) async fn list_groups(ApiRequest { service, caller, query, .. }: ApiRequest) -> ApiResult<GroupPage> {
    let domain = require_identity_read_permission(&caller)?;
    let page = parse_page_parameters(query.as_deref())?;
    let (groups, total_count) =
        paginate_list(service.store.identities().list_groups(domain).await?, page, build_group_view);
    Ok(Json(GroupPage { groups, total_count }))
}

/// Create a group.
#[utoipa::path(post, path = "/clew/v1/groups", tag = "administration", operation_id = "CreateGroup",
    request_body = CreateGroupRequest,
    responses((status = 201, description = "The group", body = GroupView), NameTaken))]
pub(crate) async fn create_group(request: ApiRequest) -> Result<(StatusCode, Json<GroupView>), ApiError> {
    let ApiRequest { service, caller, body, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let CreateGroupRequest(new) = parse_json_body(&body)?;
    let (name, description) = new.validate()?;
    let id = service.store.identities().create_group(&origin, domain, &name, &description).await?;
    Ok((StatusCode::CREATED, Json(build_group_view(find_group(&caller, id.as_str()).await?))))
}

/// Show a group with its members.
#[utoipa::path(get, path = "/clew/v1/groups/{group_id}", tag = "administration", operation_id = "ShowGroup",
    responses((status = 200, description = "The group", body = GroupWithMembers)))]
pub(crate) async fn show_group(request: ApiRequest<String>) -> ApiResult<GroupWithMembers> {
    let ApiRequest { service, caller, path: id, .. } = request;
    require_identity_read_permission(&caller)?;
    let group = find_group(&caller, &id).await?;
    let members = service.store.identities().list_group_members(&group.id).await?;
    Ok(Json(GroupWithMembers {
        group: build_group_view(group),
        members: members.into_iter().map(build_member_view).collect(),
    }))
}

/// Delete a group. Its members lose the group's policies.
#[utoipa::path(delete, path = "/clew/v1/groups/{group_id}", tag = "administration", operation_id = "DeleteGroup",
    responses((status = 204, description = "Deleted")))]
pub(crate) async fn delete_group(request: ApiRequest<String>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: id, .. } = request;
    let (_, origin) = require_identity_write_permission(&caller)?;
    let group = find_group(&caller, &id).await?;
    service.store.identities().remove_group(&origin, &group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn find_group(caller: &Caller, id: &str) -> Result<Group, ApiError> {
    let found = match id.parse() {
        Ok(id) => caller.service.store.identities().find_group(&id).await?,
        Err(_) => None,
    };
    found.filter(|found| found.domain_id == caller.principal.domain_id).ok_or_else(|| not_found_error("group", id))
}

fn build_group_view(group: Group) -> GroupView {
    GroupView { id: group.id.to_string(), name: group.name, description: group.description }
}

fn build_member_view(user: User) -> MemberView {
    MemberView { id: user.id.to_string(), name: user.name }
}

/// Add a user to a group.
#[utoipa::path(put, path = "/clew/v1/groups/{group_id}/members/{user_id}", tag = "administration",
    operation_id = "AddUserToGroup",
    responses((status = 204, description = "The user is a member of the group"), MembershipOverPolicyLimit))]
pub(crate) async fn add_group_member(request: ApiRequest<(String, String)>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: (group, user), .. } = request;
    let (_, origin) = require_identity_write_permission(&caller)?;
    let group = find_group(&caller, &group).await?;
    let user = users::find_user(&caller, &user).await?;
    service.store.identities().add_group_member(&origin, &group.id, &user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a user from a group.
#[utoipa::path(delete, path = "/clew/v1/groups/{group_id}/members/{user_id}", tag = "administration",
    operation_id = "RemoveUserFromGroup",
    responses((status = 204, description = "The user is not a member of the group")))]
pub(crate) async fn remove_group_member(request: ApiRequest<(String, String)>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: (group, user), .. } = request;
    let (_, origin) = require_identity_write_permission(&caller)?;
    let group = find_group(&caller, &group).await?;
    let user = users::find_user(&caller, &user).await?;
    if !service.store.identities().remove_group_member(&origin, &group.id, &user.id).await? {
        return Err(not_found_error("member", user.id.as_str()));
    }
    Ok(StatusCode::NO_CONTENT)
}
