//! Tags of instances (spec section 3.5).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_iam::decision::Action;
use clew_model::{ErrorEntry, InstanceFilter, Page, Tag};
use clew_store::Project;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Service;
use crate::body::{Body, check_count, missing};
use crate::caller::Caller;
use crate::json::Json;
use crate::page::{self, PageParameters};
use crate::query::shown;
use crate::refusal::Refusal;

/// Tags of an action at once, and of an instance.
const MOST_TAGS: usize = 20;
/// Longest key, in characters.
const LONGEST_KEY: usize = 36;
/// Longest value, in characters.
const LONGEST_VALUE: usize = 43;

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

/// A key of a project's tags.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectTag {
    key: String,
    /// What instances have for it
    values: Vec<String>,
}

/// Tags to add or to remove.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct TagAction {
    action: TagVerb,
    /// Keys differ
    #[schema(min_items = 1, max_items = 20)]
    tags: Vec<TagOfAction>,
}

/// What to do with tags.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum TagVerb {
    /// Adds them; a key that is there gets the new value
    Create,
    /// Removes them: those of the key, or only with this value
    Delete,
}

/// A tag to add or to remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TagOfAction {
    #[schema(min_length = 1, max_length = 36, pattern = "^[0-9A-Za-z_\\-\\u4e00-\\u9fff]+$")]
    key: String,
    /// Must be there to add a tag; it may be empty
    #[schema(max_length = 43, pattern = "^[0-9A-Za-z_.\\-\\u4e00-\\u9fff]*$")]
    value: Option<String>,
}

/// List the tags of an instance.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/instances/{instance_id}/tags",
    tag = "tags",
    params(("project_id" = String, Path), ("instance_id" = String, Path), PageParameters),
    responses((status = 200, description = "A page of tags, by key", body = InstanceTags))
)]
pub(crate) async fn list_of_instance(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<InstanceTags>, Refusal> {
    let (_, instance) = caller.instance(&service, Action::LIST_TAGS, (&project, &instance), &[]).await?;
    let page = page::asked(query.as_deref())?;
    let view = |tag: Tag| InstanceTag { key: tag.key, value: tag.value };
    let (tags, total_count) = page::cut(instance.tags.clone(), page, view);
    Ok(Json(InstanceTags { total_count, tags }))
}

/// List the tags of a project's instances.
#[utoipa::path(
    get,
    path = "/v3/{project_id}/tags",
    tag = "tags",
    params(("project_id" = String, Path), PageParameters),
    responses((status = 200, description = "A page of keys, each with its values", body = ProjectTags))
)]
pub(crate) async fn list_of_project(
    State(service): State<Service>,
    caller: Caller,
    Path(project): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ProjectTags>, Refusal> {
    let project = caller.project(Action::LIST_TAGS, &project).await?;
    let page = page::asked(query.as_deref())?;
    let tags = tags_of(&service, &caller, &project).await?;
    let (tags, total_count) = page::cut(tags, page, |(key, values)| ProjectTag { key, values });
    Ok(Json(ProjectTags { total_count, tags }))
}

/// Add tags to an instance, or remove them.
#[utoipa::path(
    post,
    path = "/v3/{project_id}/instances/{instance_id}/tags/action",
    tag = "tags",
    params(("project_id" = String, Path), ("instance_id" = String, Path)),
    request_body(content = TagAction, content_type = "application/json"),
    responses((status = 200, description = "Done"))
)]
pub(crate) async fn act(
    State(service): State<Service>,
    caller: Caller,
    Path((project, instance)): Path<(String, String)>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    // Policies can ask for the tags: they are read first. What is wrong with them is said only to those who may add some.
    let asked = asked(&body);
    let tags = asked.as_ref().map_or(&[][..], |(_, tags)| tags);
    let value = |tag: &TagOfAction| tag.value.clone().unwrap_or_default();
    let named: Vec<Tag> = tags.iter().map(|tag| Tag { key: tag.key.clone(), value: value(tag) }).collect();
    let (project, instance) = caller.instance(&service, Action::TAG_INSTANCE, (&project, &instance), &named).await?;
    let (verb, tags) = asked?;
    let (origin, store) = (caller.origin(), &service.store);
    let there = match verb {
        TagVerb::Create => store.add_tags(&origin, &project.id, &instance.id, &named).await?,
        TagVerb::Delete => {
            let tags: Vec<_> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
            store.remove_tags(&origin, &project.id, &instance.id, &tags).await?
        }
    };
    if there { Ok(StatusCode::OK) } else { Err(Refusal::new(ErrorEntry::UNKNOWN_INSTANCE)) }
}

fn asked(body: &[u8]) -> Result<(TagVerb, Vec<TagOfAction>), Refusal> {
    let body = Body::parse(body, &["action", "tags"])?;
    let verb: TagVerb = body.need("action")?;
    let tags: Vec<TagOfAction> = body.need("tags")?;
    check_count("tags", tags.len(), 1, MOST_TAGS)?;
    let mut keys = HashSet::new();
    for tag in &tags {
        check(tag, verb)?;
        if !keys.insert(&tag.key) {
            return Err(Refusal::because(ErrorEntry::TAG_KEY_REPEATED, "tag-key", vec![("key", tag.key.clone())]));
        }
    }
    Ok((verb, tags))
}

fn check(tag: &TagOfAction, verb: TagVerb) -> Result<(), Refusal> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || ('\u{4e00}'..='\u{9fff}').contains(&letter);
    let key = (1..=LONGEST_KEY).contains(&tag.key.chars().count())
        && tag.key.chars().all(|letter| is_letter(letter) || "_-".contains(letter));
    if !key {
        let arguments = vec![("given", shown(&tag.key)), ("max", LONGEST_KEY.to_string())];
        return Err(Refusal::parameter("tag-key-form", arguments));
    }
    let Some(value) = &tag.value else {
        return if verb == TagVerb::Create { Err(missing("value")) } else { Ok(()) };
    };
    let fits = value.chars().count() <= LONGEST_VALUE
        && value.chars().all(|letter| is_letter(letter) || "_.-".contains(letter));
    if fits {
        return Ok(());
    }
    let arguments = vec![("given", shown(value)), ("max", LONGEST_VALUE.to_string())];
    Err(Refusal::parameter("tag-value-form", arguments))
}

/// The tags of those instances of a project whose tags the caller may see: each key with its values, all in their order.
async fn tags_of(service: &Service, caller: &Caller, project: &Project) -> Result<Vec<(String, Vec<String>)>, Refusal> {
    if caller.principal.administrator {
        return Ok(service.store.project_tags(&project.id).await?);
    }
    let (mut tags, mut next) = (BTreeMap::<String, BTreeSet<String>>::new(), Page::default());
    loop {
        let (instances, total) = service.store.instances(&project.id, &InstanceFilter::default(), next).await?;
        for instance in instances {
            if !caller.may(service, Action::LIST_TAGS, project, &instance)? {
                continue;
            }
            for tag in instance.tags {
                tags.entry(tag.key).or_default().insert(tag.value);
            }
        }
        next.offset = next.offset.saturating_add(next.limit);
        if u64::from(next.offset) >= total {
            return Ok(tags.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect());
        }
    }
}
