//! Routes that attach policies to users and groups, detach policies, and list policy attachments.

use std::collections::HashMap;

use clew_iam::policy::PermissionModel;
use clew_model::{DomainId, ProjectId};
use clew_store::{Grantee, PolicyAttachment, PolicyRef};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::{self, CustomOrSystemPolicy};
use super::{
    groups, not_found_error, projects, require_identity_read_permission, require_identity_write_permission, users,
};
use crate::AppState;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::error_responses::AttachmentOverPolicyLimit;
use crate::query_string::{PageParameters, QueryString, paginate_list, parse_page_parameters};
use crate::request_body::parse_json_body;

/// A page of a policy's attachments.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyAttachmentPage {
    attachments: Vec<PolicyAttachmentView>,
    total_count: u64,
}

/// User or group with an attached policy.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyAttachmentView {
    user_id: Option<String>,
    group_id: Option<String>,
    /// Name of the user or group
    name: String,
    /// Project to which the attachment applies; null for all projects
    project_id: Option<String>,
}

/// A user or group to attach a policy to.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "schema of the alternatives of `PolicyAttachmentFields`")]
pub(crate) enum PolicyAttachmentRequest {
    User(UserAttachment),
    Group(GroupAttachment),
}

/// User to attach a policy to. Only identity policies can be attached to users.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the alternatives of `PolicyAttachmentFields`")]
pub(crate) struct UserAttachment {
    user_id: String,
}

/// A group.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the alternatives of `PolicyAttachmentFields`")]
pub(crate) struct GroupAttachment {
    group_id: String,
    /// Project to which the attachment applies; only for role-based policies
    project_id: Option<String>,
}

/// Unlike an untagged enum, this struct produces errors that name the invalid field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the API defines the names")]
struct PolicyAttachmentFields {
    user_id: Option<String>,
    group_id: Option<String>,
    project_id: Option<String>,
}

/// Kind of a grantee.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a path segment that is parsed as text")]
pub(crate) enum GranteeKind {
    User,
    Group,
}

/// List the attachments of a policy.
#[utoipa::path(get, path = "/clew/v1/policies/{name}/attachments", tag = "administration",
    operation_id = "ListPolicyAttachments", params(PageParameters),
    responses((status = 200, description = "Page of users and groups", body = PolicyAttachmentPage)))]
pub(crate) async fn list_attachments(request: ApiRequest<String>) -> ApiResult<PolicyAttachmentPage> {
    let ApiRequest { service, caller, path: name, query, .. } = request;
    let domain = require_identity_read_permission(&caller)?;
    let page = parse_page_parameters(query.as_deref())?;
    let policy = policies::find_policy(&service, domain, &name).await?.to_policy_ref();
    let attachments = load_policy_attachment_views(&service, domain, &policy).await?;
    let (attachments, total_count) = paginate_list(attachments, page, |view| view);
    Ok(Json(PolicyAttachmentPage { attachments, total_count }))
}

/// Attach a policy and revoke the tokens of the affected users.
#[utoipa::path(post, path = "/clew/v1/policies/{name}/attachments", tag = "administration",
    operation_id = "AttachPolicy", request_body = PolicyAttachmentRequest,
    responses((status = 204, description = "The policy is attached"), AttachmentOverPolicyLimit))]
pub(crate) async fn attach_policy(request: ApiRequest<String>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: name, body, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let request: PolicyAttachmentFields = parse_json_body(&body)?;
    let policy = policies::find_policy(&service, domain, &name).await?;
    let grantee = match (request.user_id, request.group_id) {
        (Some(id), None) => Grantee::User(users::find_user(&caller, &id).await?.id),
        (None, Some(id)) => Grantee::Group(groups::find_group(&caller, &id).await?.id),
        _ => return Err(ApiError::invalid_parameter("attachment-grantee", [])),
    };
    let project = resolve_optional_project_id(&caller, request.project_id.as_deref()).await?;
    ensure_policy_attachable(&policy, &grantee, project.as_ref())?;
    service.store.policies().attach_policy(&origin, &policy.to_policy_ref(), &grantee, project.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Detach a policy and revoke the tokens of the affected users.
#[utoipa::path(delete, path = "/clew/v1/policies/{name}/attachments/{kind}/{id}", tag = "administration",
    operation_id = "DetachPolicy",
    params(
        ("kind" = inline(GranteeKind), Path, description = "Kind of the grantee"),
        ("id" = String, Path, description = "Id of the user or group"),
        ("project_id" = Option<String>, Query, description = "Project to which the attachment applies")
    ),
    responses((status = 204, description = "The policy is detached")))]
pub(crate) async fn detach_policy(request: ApiRequest<(String, String, String)>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: (name, kind, id), query, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    let query = QueryString::parse(query.as_deref())?;
    let policy = policies::find_policy(&service, domain, &name).await?.to_policy_ref();
    let grantee = match kind.as_str() {
        "user" => Grantee::User(users::find_user(&caller, &id).await?.id),
        "group" => Grantee::Group(groups::find_group(&caller, &id).await?.id),
        _ => return Err(not_found_error("attachment", &kind)),
    };
    let project = resolve_optional_project_id(&caller, query.get("project_id")).await?;
    if !service.store.policies().detach_policy(&origin, &policy, &grantee, project.as_ref()).await? {
        return Err(not_found_error("attachment", &id));
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn resolve_optional_project_id(caller: &Caller, id: Option<&str>) -> Result<Option<ProjectId>, ApiError> {
    match id {
        Some(id) => Ok(Some(projects::find_project(caller, id).await?.id)),
        None => Ok(None),
    }
}

/// Role-based policies can be attached only to groups, either for all projects or for a single project.
/// Identity policies can be attached to users and groups, and always apply to all projects.
fn ensure_policy_attachable(
    policy: &CustomOrSystemPolicy,
    grantee: &Grantee,
    project: Option<&ProjectId>,
) -> Result<(), ApiError> {
    match (policy.permission_model(), grantee, project) {
        (PermissionModel::RoleBased, Grantee::User(_), _) => {
            Err(ApiError::invalid_parameter("attachment-role-user", []))
        }
        (PermissionModel::IdentityBased, _, Some(_)) => {
            Err(ApiError::invalid_parameter("attachment-identity-project", []))
        }
        _ => Ok(()),
    }
}

/// For a system policy, omits the attachments to users and groups of other domains.
async fn load_policy_attachment_views(
    service: &AppState,
    domain: &DomainId,
    policy: &PolicyRef,
) -> Result<Vec<PolicyAttachmentView>, ApiError> {
    let users = service.store.identities().list_users(domain).await?.into_iter().map(|user| (user.id, user.name));
    let groups = service.store.identities().list_groups(domain).await?.into_iter().map(|group| (group.id, group.name));
    let (users, groups): (HashMap<_, _>, HashMap<_, _>) = (users.collect(), groups.collect());
    let view = |attachment: PolicyAttachment| {
        let project_id = attachment.project.map(String::from);
        let (name, user_id, group_id) = match attachment.grantee {
            Grantee::User(id) => (users.get(&id)?.clone(), Some(id.into()), None),
            Grantee::Group(id) => (groups.get(&id)?.clone(), None, Some(id.into())),
        };
        Some(PolicyAttachmentView { user_id, group_id, name, project_id })
    };
    Ok(service.store.policies().list_policy_attachments(policy).await?.into_iter().filter_map(view).collect())
}
