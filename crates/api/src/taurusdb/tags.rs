//! Routes that list, add and remove instance tags (section 3.5 of the TaurusDB API spec).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use clew_iam::decision::Action;
use clew_model::{ApiErrorDefinition, Instance, InstanceFilter, Tag};
use clew_store::Project;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::{Caller, InstancePath};
use crate::error::ApiError;
use crate::field_errors::{check_array_length, missing_field_error, truncate_for_message};
use crate::query_string::{PageParameters, paginate_list, parse_page_parameters};
use crate::request_body::parse_json_body;

const MAX_TAGS_PER_REQUEST: usize = 20;
const MAX_TAG_KEY_CHARS: usize = 36;
const MAX_TAG_VALUE_CHARS: usize = 43;

/// A page of an instance's tags.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceTags {
    total_count: u64,
    tags: Vec<InstanceTag>,
}

/// A tag of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceTag {
    key: String,
    value: String,
}

/// A page of a project's tags.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectTags {
    total_count: u64,
    tags: Vec<ProjectTag>,
}

/// A tag key of a project.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectTag {
    key: String,
    /// Values of the key across all instances
    values: Vec<String>,
}

/// Tags to add or remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagActionRequest {
    action: TagOperation,
    /// Tags with distinct keys
    #[schema(min_items = 1, max_items = 20)]
    tags: Vec<TagChange>,
}

/// Operation on tags.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum TagOperation {
    /// Add tags; if a tag key already exists, replace its value
    Create,
    /// Remove tags by key, or by key and value
    Delete,
}

/// A tag to add or remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TagChange {
    #[schema(min_length = 1, max_length = 36, pattern = "^[0-9A-Za-z_\\-\\u4e00-\\u9fff]+$")]
    key: String,
    /// Tag value, which may be empty; required when adding a tag
    #[schema(max_length = 43, pattern = "^[0-9A-Za-z_.\\-\\u4e00-\\u9fff]*$")]
    value: Option<String>,
}

/// List the tags of an instance.
#[utoipa::path(get, path = "/v3/{project_id}/instances/{instance_id}/tags", tag = "tags",
    operation_id = "ListInstanceTags", params(PageParameters),
    responses((status = 200, description = "Page of tags, sorted by key", body = InstanceTags)))]
pub(crate) async fn list_instance_tags(request: ApiRequest<InstancePath>) -> ApiResult<InstanceTags> {
    let ApiRequest { caller, path, query, .. } = request;
    let (_, instance) = caller.require_instance_permission(Action::LIST_TAGS, &path).await?;
    let page = parse_page_parameters(query.as_deref())?;
    let view = |tag: Tag| InstanceTag { key: tag.key, value: tag.value };
    let (tags, total_count) = paginate_list(instance.tags.clone(), page, view);
    Ok(Json(InstanceTags { total_count, tags }))
}

/// List the tags of a project's instances.
#[utoipa::path(get, path = "/v3/{project_id}/tags", tag = "tags", operation_id = "ListProjectTags",
    params(PageParameters),
    responses((status = 200, description = "Page of tag keys with their values", body = ProjectTags)))]
pub(crate) async fn list_project_tags(request: ApiRequest<String>) -> ApiResult<ProjectTags> {
    let ApiRequest { caller, path: project, query, .. } = request;
    let project = caller.require_permission_on_some_instance(Action::LIST_TAGS, &project).await?;
    let page = parse_page_parameters(query.as_deref())?;
    let tags = list_visible_project_tags(&caller, &project).await?;
    let (tags, total_count) = paginate_list(tags, page, |(key, values)| ProjectTag { key, values });
    Ok(Json(ProjectTags { total_count, tags }))
}

/// Add or remove tags of an instance.
#[utoipa::path(post, path = "/v3/{project_id}/instances/{instance_id}/tags/action", tag = "tags",
    operation_id = "BatchTagAction", request_body = TagActionRequest,
    responses((status = 200, description = "The tags are changed")))]
pub(crate) async fn add_or_remove_tags(request: ApiRequest<InstancePath>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path, body, .. } = request;
    // Policies can depend on the requested tags, so the body is parsed before authorization.
    // Parse errors are returned only to authorized callers.
    let parsed = parse_tag_action_request(&body);
    let tags = parsed.as_ref().map_or(&[][..], |(_, tags)| tags);
    let value = |tag: &TagChange| tag.value.clone().unwrap_or_default();
    let requested: Vec<Tag> = tags.iter().map(|tag| Tag { key: tag.key.clone(), value: value(tag) }).collect();
    let (project, instance) =
        caller.require_instance_permission_with_tags(Action::TAG_INSTANCE, (&path.0, &path.1), &requested).await?;
    let (operation, tags) = parsed?;
    let (origin, store) = (caller.build_audit_origin(), &service.store);
    let exists = match operation {
        TagOperation::Create => store.instances().add_tags(&origin, &project.id, &instance.id, &requested).await?,
        TagOperation::Delete => {
            let tags: Vec<_> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
            store.instances().remove_tags(&origin, &project.id, &instance.id, &tags).await?
        }
    };
    if exists { Ok(StatusCode::OK) } else { Err(ApiError::new(ApiErrorDefinition::UNKNOWN_INSTANCE)) }
}

fn parse_tag_action_request(body: &[u8]) -> Result<(TagOperation, Vec<TagChange>), ApiError> {
    let TagActionRequest { action: operation, tags } = parse_json_body(body)?;
    check_array_length("tags", tags.len(), 1, MAX_TAGS_PER_REQUEST)?;
    let mut keys = HashSet::new();
    for tag in &tags {
        validate_tag(tag, operation)?;
        if !keys.insert(&tag.key) {
            let key = [("key", tag.key.clone())];
            return Err(ApiError::with_detail(ApiErrorDefinition::TAG_KEY_REPEATED, "tag-key", key));
        }
    }
    Ok((operation, tags))
}

fn validate_tag(tag: &TagChange, operation: TagOperation) -> Result<(), ApiError> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || ('\u{4e00}'..='\u{9fff}').contains(&letter);
    let is_valid_key = (1..=MAX_TAG_KEY_CHARS).contains(&tag.key.chars().count())
        && tag.key.chars().all(|letter| is_letter(letter) || "_-".contains(letter));
    if !is_valid_key {
        let arguments = [("given", truncate_for_message(&tag.key)), ("max", MAX_TAG_KEY_CHARS.to_string())];
        return Err(ApiError::invalid_parameter("tag-key-form", arguments));
    }
    let Some(value) = &tag.value else {
        return if operation == TagOperation::Create { Err(missing_field_error("value")) } else { Ok(()) };
    };
    let is_valid_value = value.chars().count() <= MAX_TAG_VALUE_CHARS
        && value.chars().all(|letter| is_letter(letter) || "_.-".contains(letter));
    if is_valid_value {
        return Ok(());
    }
    let arguments = [("given", truncate_for_message(value)), ("max", MAX_TAG_VALUE_CHARS.to_string())];
    Err(ApiError::invalid_parameter("tag-value-form", arguments))
}

async fn list_visible_project_tags(caller: &Caller, project: &Project) -> Result<Vec<(String, Vec<String>)>, ApiError> {
    if caller.principal.administrator {
        return Ok(caller.service.store.instances().list_project_tags(&project.id).await?);
    }
    let mut tags = BTreeMap::<String, BTreeSet<String>>::new();
    let visit = |instance: Instance| {
        for tag in instance.tags {
            tags.entry(tag.key).or_default().insert(tag.value);
        }
    };
    caller.for_each_allowed_instance(Action::LIST_TAGS, project, &InstanceFilter::default(), visit).await?;
    Ok(tags.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect())
}
