//! `clew instance tag` adds tags to an instance; `clew instance untag` removes tags.

use clap::Args;
use clew_model::{Instance, Tag};

use super::{ProjectSelectionArgs, SelectedProject, parse_tag, render, require_instance};
use crate::error::CliError;

/// Maximum number of characters in a tag key (TaurusDB API spec, section 3.5).
const MAX_TAG_KEY_CHARS: usize = 36;
/// Maximum number of characters in a tag value (TaurusDB API spec, section 3.5).
const MAX_TAG_VALUE_CHARS: usize = 43;

/// Add tags to an instance or replace the values of existing tags.
/// Policies can match these tags through the condition key g:ResourceTag.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance tag shop env=test team=payments")]
pub(super) struct TagArgs {
    /// Name or id
    instance: String,
    /// Tags to add
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = parse_and_validate_tag)]
    tags: Vec<Tag>,
    #[command(flatten)]
    project_args: ProjectSelectionArgs,
}

/// Remove tags from an instance.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clew instance untag shop env\n  clew instance untag shop env=test    only if it has this value"
)]
pub(super) struct UntagArgs {
    /// Name or id
    instance: String,
    /// Keys of the tags to remove; KEY=VALUE removes a tag only if its value matches
    #[arg(value_name = "KEY[=VALUE]", required = true)]
    tags: Vec<String>,
    #[command(flatten)]
    project_args: ProjectSelectionArgs,
}

/// Parses a tag and enforces the API's limits on length and characters.
fn parse_and_validate_tag(text: &str) -> Result<Tag, String> {
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

pub(super) async fn add_tags(arguments: TagArgs) -> Result<(), CliError> {
    let TagArgs { instance, tags, project_args } = arguments;
    let mut keys: Vec<_> = tags.iter().map(|tag| tag.key.as_str()).collect();
    keys.sort_unstable();
    if let Some([key, _]) = keys.windows(2).find_map(|pair| <&[&str; 2]>::try_from(pair).ok().filter(|[a, b]| a == b)) {
        return Err(CliError::new_refusal(format!("duplicate tag key {key:?}")));
    }
    let inventory = project_args.open_store_and_select_project().await?;
    let instance = require_instance(&inventory, &instance).await?;
    inventory.store.instances().add_tags(&inventory.origin, &inventory.project.id, &instance.id, &tags).await?;
    print_updated_instance(&project_args, &inventory, &instance).await
}

pub(super) async fn remove_tags(arguments: UntagArgs) -> Result<(), CliError> {
    let UntagArgs { instance, tags, project_args } = arguments;
    let inventory = project_args.open_store_and_select_project().await?;
    let instance = require_instance(&inventory, &instance).await?;
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
        return Err(CliError::new_refusal(format!("{} has no tag {tag:?}; nothing was changed", instance.name)));
    }
    inventory.store.instances().remove_tags(&inventory.origin, &inventory.project.id, &instance.id, &tags).await?;
    print_updated_instance(&project_args, &inventory, &instance).await
}

async fn print_updated_instance(
    project_args: &ProjectSelectionArgs,
    inventory: &SelectedProject,
    instance: &Instance,
) -> Result<(), CliError> {
    let instance = require_instance(inventory, instance.id.as_str()).await?;
    project_args.output_format().print(|| render::render_instance(&instance), || render::instance_to_json(&instance))
}
