//! `clew instance tag` and `untag`

use clap::Args;
use clew_model::{Instance, Tag as InstanceTag};

use super::{Inventory, Place, describe, find, parse_tag};
use crate::error::CliError;

/// Longest key and value of a tag, in characters (spec section 3.5).
const LONGEST: (usize, usize) = (36, 43);

/// Give an instance tags; a key that is there gets the new value. Policies can ask for them (g:ResourceTag).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew instance tag shop env=test team=payments")]
pub(super) struct Tag {
    /// Name or id
    instance: String,
    /// The tags
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = parse_new_tag)]
    tags: Vec<InstanceTag>,
    #[command(flatten)]
    place: Place,
}

/// Take tags from an instance.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  clew instance untag shop env\n  clew instance untag shop env=test    only if it has this value"
)]
pub(super) struct Untag {
    /// Name or id
    instance: String,
    /// Keys, or keys with the value that they must have
    #[arg(value_name = "KEY[=VALUE]", required = true)]
    tags: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// A tag that the API would take as well.
fn parse_new_tag(text: &str) -> Result<InstanceTag, String> {
    let tag = parse_tag(text)?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\u{4e00}'..='\u{9fff}');
    let (key, value) = LONGEST;
    if tag.key.chars().count() > key || !tag.key.chars().all(valid) {
        return Err(format!("a key has 1 to {key} letters, digits, dashes and underscores"));
    }
    if tag.value.chars().count() > value || !tag.value.chars().all(|c| valid(c) || c == '.') {
        return Err(format!("a value has up to {value} letters, digits, dashes, underscores and dots"));
    }
    Ok(tag)
}

pub(super) async fn tag(arguments: Tag) -> Result<(), CliError> {
    let Tag { instance, tags, place } = arguments;
    let mut keys: Vec<_> = tags.iter().map(|tag| tag.key.as_str()).collect();
    keys.sort_unstable();
    if let Some([key, _]) = keys.windows(2).find_map(|pair| <&[&str; 2]>::try_from(pair).ok().filter(|[a, b]| a == b)) {
        return Err(CliError::refused(format!("the key {key:?} is there twice")));
    }
    let inventory = place.open().await?;
    let instance = find(&inventory, &instance).await?;
    inventory.store.add_tags(&inventory.by, &inventory.project.id, &instance.id, &tags).await?;
    show(&place, &inventory, &instance).await
}

pub(super) async fn untag(arguments: Untag) -> Result<(), CliError> {
    let Untag { instance, tags, place } = arguments;
    let inventory = place.open().await?;
    let instance = find(&inventory, &instance).await?;
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
        return Err(CliError::refused(format!("{} has no tag {tag:?}; nothing was changed", instance.name)));
    }
    inventory.store.remove_tags(&inventory.by, &inventory.project.id, &instance.id, &tags).await?;
    show(&place, &inventory, &instance).await
}

/// The instance as it is now.
async fn show(place: &Place, inventory: &Inventory, instance: &Instance) -> Result<(), CliError> {
    let instance = find(inventory, instance.id.as_str()).await?;
    place.format().say(|| describe::one(&instance), || describe::value(&instance))
}
