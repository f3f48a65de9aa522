//! Which policies reach whom.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_iam::policy::Model;
use clew_model::{DomainId, ProjectId};
use clew_store::{Attachment, Grantee, PolicyRef};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::policies::{self, Found};
use super::{changer, groups, not_found, projects, reader, users};
use crate::Service;
use crate::body::Body;
use crate::caller::Caller;
use crate::json::Json;
use crate::page::{self, PageParameters};
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};

/// A page of those that a policy reaches.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttachmentPage {
    attachments: Vec<AttachmentView>,
    total_count: u64,
}

/// Somebody that a policy reaches: a user or a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttachmentView {
    user_id: Option<String>,
    group_id: Option<String>,
    /// Name of the user or group
    name: String,
    /// The only project that it is good for; nothing means all
    project_id: Option<String>,
}

/// Somebody that a policy is to reach: a user or a group.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) enum AttachmentCreation {
    User(UserAttachment),
    Group(GroupAttachment),
}

/// A user. Only identity policies can be attached to one.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct UserAttachment {
    user_id: String,
}

/// A group.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct GroupAttachment {
    group_id: String,
    /// The only project that it is good for; only for roles and role-based policies
    project_id: Option<String>,
}

/// What a policy can be attached to.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a path segment that is parsed as text")]
pub(crate) enum GranteeKind {
    User,
    Group,
}

/// List whom a policy reaches.
#[utoipa::path(get, path = "/clew/v1/policies/{name}/attachments", tag = "administration",
    params(("name" = String, Path), PageParameters),
    responses((status = 200, description = "A page of users and groups", body = AttachmentPage)))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<AttachmentPage>, Refusal> {
    let domain = reader(&service, &caller)?;
    let page = page::asked(query.as_deref())?;
    let policy = policies::find(&service, domain, &name).await?.reference();
    let views = views(&service, domain, &policy).await?;
    let (attachments, total_count) = page::cut(views, page, |view| view);
    Ok(Json(AttachmentPage { attachments, total_count }))
}

/// Attach a policy. The tokens of whom it reaches end.
#[utoipa::path(post, path = "/clew/v1/policies/{name}/attachments", tag = "administration",
    params(("name" = String, Path)),
    request_body(content = AttachmentCreation, content_type = "application/json"),
    responses(
        (status = 204, description = "It is attached"),
        (status = 409, description = "More policies would reach a user or group than may", body = ErrorBody)
    ))]
pub(crate) async fn attach(
    State(service): State<Service>,
    caller: Caller,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["user_id", "group_id", "project_id"])?;
    let policy = policies::find(&service, domain, &name).await?;
    let grantee = match (body.get::<String>("user_id")?, body.get::<String>("group_id")?) {
        (Some(id), None) => Grantee::User(users::find(&service, &caller, &id).await?.id),
        (None, Some(id)) => Grantee::Group(groups::find(&service, &caller, &id).await?.id),
        _ => return Err(Refusal::parameter("attachment-grantee", Vec::new())),
    };
    let project = project(&service, &caller, body.get::<String>("project_id")?.as_deref()).await?;
    check_model(&policy, &grantee, project.as_ref())?;
    service.store.attach(&origin, &policy.reference(), &grantee, project.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Detach a policy. The tokens of whom it reached end.
#[utoipa::path(delete, path = "/clew/v1/policies/{name}/attachments/{kind}/{id}", tag = "administration",
    params(
        ("name" = String, Path),
        ("kind" = inline(GranteeKind), Path, description = "What it is attached to"),
        ("id" = String, Path, description = "Id of the user or group"),
        ("project_id" = Option<String>, Query, description = "The only project that the attachment is good for")
    ),
    responses((status = 204, description = "It is not attached")))]
pub(crate) async fn detach(
    State(service): State<Service>,
    caller: Caller,
    Path((name, kind, id)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    let query = Query::parse(query.as_deref())?;
    let policy = policies::find(&service, domain, &name).await?.reference();
    let grantee = match kind.as_str() {
        "user" => Grantee::User(users::find(&service, &caller, &id).await?.id),
        "group" => Grantee::Group(groups::find(&service, &caller, &id).await?.id),
        _ => return Err(not_found("attachment", &kind)),
    };
    let project = project(&service, &caller, query.get("project_id")).await?;
    if !service.store.detach(&origin, &policy, &grantee, project.as_ref()).await? {
        return Err(not_found("attachment", &id));
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn project(service: &Service, caller: &Caller, id: Option<&str>) -> Result<Option<ProjectId>, Refusal> {
    match id {
        Some(id) => Ok(Some(projects::find(service, caller, id).await?.id)),
        None => Ok(None),
    }
}

/// Role-based policies are for groups, in all projects or in one; identity policies for users and groups (spec section 4.1).
fn check_model(policy: &Found, grantee: &Grantee, project: Option<&ProjectId>) -> Result<(), Refusal> {
    match (policy.model(), grantee, project) {
        (Model::RoleBased, Grantee::User(_), _) => Err(Refusal::parameter("attachment-role-user", Vec::new())),
        (Model::IdentityBased, _, Some(_)) => Err(Refusal::parameter("attachment-identity-project", Vec::new())),
        _ => Ok(()),
    }
}

/// Whom a policy reaches in the domain. One that comes with Clew is attached in others too.
async fn views(service: &Service, domain: &DomainId, policy: &PolicyRef) -> Result<Vec<AttachmentView>, Refusal> {
    let users = service.store.users_of(domain).await?.into_iter().map(|user| (user.id, user.name));
    let groups = service.store.groups_of(domain).await?.into_iter().map(|group| (group.id, group.name));
    let (users, groups): (HashMap<_, _>, HashMap<_, _>) = (users.collect(), groups.collect());
    let view = |attachment: Attachment| {
        let project_id = attachment.project.map(String::from);
        Some(match attachment.grantee {
            Grantee::User(id) => {
                let name = users.get(&id)?.clone();
                AttachmentView { user_id: Some(id.into()), group_id: None, name, project_id }
            }
            Grantee::Group(id) => {
                let name = groups.get(&id)?.clone();
                AttachmentView { user_id: None, group_id: Some(id.into()), name, project_id }
            }
        })
    };
    Ok(service.store.attachments_of(policy).await?.into_iter().filter_map(view).collect())
}
