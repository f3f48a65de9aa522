//! `clew instance tag` adds tags to an instance; `clew instance untag` removes tags.

use std::collections::HashSet;

use clew_model::Tag;

use super::{SelectedProject, parse_tag};
use crate::error::{CliError, refused};

/// Limit from the TaurusDB API spec, section 3.5.
const MAX_TAG_KEY_CHARS: usize = 36;
/// Limit from the TaurusDB API spec, section 3.5.
const MAX_TAG_VALUE_CHARS: usize = 43;

pub(super) fn parse_and_validate_tag(text: &str) -> Result<Tag, String> {
    let tag = parse_tag(text)?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\u{4e00}'..='\u{9fff}');
    if tag.key.chars().count() > MAX_TAG_KEY_CHARS || !tag.key.chars().all(valid) {
        return Err(format!("a tag key has 1 to {MAX_TAG_KEY_CHARS} letters, digits, dashes and underscores"));
    }
    if tag.value.chars().count() > MAX_TAG_VALUE_CHARS || !tag.value.chars().all(|c| valid(c) || c == '.') {
        return Err(format!(
            "a tag value has up to {MAX_TAG_VALUE_CHARS} letters, digits, dashes, underscores and dots"
        ));
    }
    Ok(tag)
}

pub(super) fn require_unique_keys(tags: &[Tag]) -> Result<(), CliError> {
    let mut keys = HashSet::new();
    match tags.iter().filter(|tag| !keys.insert(&tag.key)).map(|tag| &tag.key).min() {
        Some(key) => Err(refused!("duplicate tag key {key:?}")),
        None => Ok(()),
    }
}

pub(super) async fn add_tags(inventory: &SelectedProject, instance: &str, tags: &[Tag]) -> Result<(), CliError> {
    let SelectedProject { store, project, origin, .. } = inventory;
    let instance = inventory.require_instance(instance).await?;
    store.instances().add_tags(origin, &project.id, &instance.id, tags).await?;
    inventory.print_instance(&inventory.require_instance(instance.id.as_str()).await?)
}

pub(super) async fn remove_tags(inventory: &SelectedProject, instance: &str, tags: &[String]) -> Result<(), CliError> {
    let SelectedProject { store, project, origin, .. } = inventory;
    let instance = inventory.require_instance(instance).await?;
    let tags: Vec<_> = tags
        .iter()
        .map(|tag| {
            tag.split_once('=').map_or((tag.clone(), None), |(key, value)| (key.to_owned(), Some(value.to_owned())))
        })
        .collect();
    let has = |(key, value): &(String, Option<String>)| {
        instance.tags.iter().any(|tag| tag.key == *key && value.as_ref().is_none_or(|value| tag.value == *value))
    };
    if let Some((key, value)) = tags.iter().find(|tag| !has(tag)) {
        let tag = value.as_ref().map_or(key.clone(), |value| format!("{key}={value}"));
        return Err(refused!("{} has no tag {tag:?}; nothing was changed", instance.name));
    }
    store.instances().remove_tags(origin, &project.id, &instance.id, &tags).await?;
    inventory.print_instance(&inventory.require_instance(instance.id.as_str()).await?)
}
