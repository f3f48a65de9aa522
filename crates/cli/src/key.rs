//! `clew key …`: access keys, which sign requests.

mod create;

use clap::{Args, Subcommand};
use clew_model::AccessKeyId;
use clew_store::KeyRecord;
use serde_json::{Value, json};

use crate::confirm::Confirmation;
use crate::directory::{Directory, Place};
use crate::error::CliError;
use crate::listing::{self, yes_no};
use crate::moments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(create::Arguments),
    List(List),
    Enable(Enable),
    Disable(Disable),
    Remove(Remove),
}

/// List access keys, and when they were last used.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  clew key list\n  clew key list ada")]
struct List {
    /// Name or id of a user [default: all]
    user: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Let an access key be used again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew key enable AKID")]
struct Enable {
    /// The key's public half
    access_key: AccessKeyId,
    #[command(flatten)]
    place: Place,
}

/// Let an access key be used no more. Ends the tokens and temporary keys of its user: they may have been got with it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew key disable AKID")]
struct Disable {
    /// The key's public half
    access_key: AccessKeyId,
    #[command(flatten)]
    place: Place,
}

/// Remove an access key. Ends the tokens and temporary keys of its user: they may have been got with it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew key remove AKID --yes")]
struct Remove {
    /// The key's public half
    access_key: AccessKeyId,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.action {
        Action::Create(arguments) => create::run(arguments).await,
        Action::List(arguments) => list_keys(arguments).await,
        Action::Enable(arguments) => set_enabled(&arguments.place, &arguments.access_key, true).await,
        Action::Disable(arguments) => set_enabled(&arguments.place, &arguments.access_key, false).await,
        Action::Remove(arguments) => remove(arguments).await,
    }
}

async fn list_keys(arguments: List) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let users = match &arguments.user {
        Some(user) => vec![directory.user(user).await?],
        None => directory.store.users_of(&directory.domain.id).await?,
    };
    let mut keys = Vec::new();
    for user in users {
        keys.extend(directory.store.keys_of(&user.id).await?.into_iter().map(|key| (user.name.clone(), key)));
    }
    arguments.place.format().say(
        || list(&keys),
        || json!({ "access_keys": keys.iter().map(|(user, key)| value(user, key)).collect::<Vec<_>>() }),
    )
}

async fn set_enabled(place: &Place, id: &AccessKeyId, enabled: bool) -> Result<(), CliError> {
    let directory = place.open().await?;
    let (user, _) = find(&directory, id).await?;
    directory.store.set_key_enabled(&directory.by, id, enabled).await?;
    place.format().say(
        || format!("The access key {id} of {user} {}.\n", if enabled { "may be used" } else { "may not be used" }),
        || json!({ "access_key": id, "user": user, "enabled": enabled }),
    )
}

async fn remove(arguments: Remove) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let id = &arguments.access_key;
    let (user, _) = find(&directory, id).await?;
    arguments.confirmation.ask(format!("remove the access key {id} of {user}")).await?;
    directory.store.remove_key(&directory.by, id).await?;
    arguments.place.format().say(|| format!("Removed the access key {id} of {user}.\n"), || json!({ "removed": id }))
}

/// A key of the domain, with the name of its user.
async fn find(directory: &Directory, id: &AccessKeyId) -> Result<(String, KeyRecord), CliError> {
    let unknown = || CliError::refused(format!("there is no access key {id}")).with_hint("clew key list shows all");
    let key = directory.store.key(id).await?.ok_or_else(unknown)?;
    let user = directory.store.user(&key.user_id).await?.filter(|user| user.domain_id == directory.domain.id);
    user.map(|user| (user.name, key)).ok_or_else(unknown)
}

/// A line per key, each with the name of its user.
pub(crate) fn list(keys: &[(String, KeyRecord)]) -> String {
    let row = |(user, key): &(String, KeyRecord)| {
        let used = key.last_used_at.map_or("never".to_owned(), moments::seconds);
        [key.id.to_string(), user.clone(), yes_no(key.enabled), moments::seconds(key.created_at), used]
    };
    let headings = ["ACCESS KEY", "USER", "ENABLED", "MADE", "LAST USED"];
    listing::list(headings, keys.iter().map(row).collect(), "No access keys; clew key create makes one.")
}

/// A key for scripts. Never its secret.
pub(crate) fn value(user: &str, key: &KeyRecord) -> Value {
    json!({
        "access_key": key.id,
        "user": user,
        "user_id": key.user_id,
        "enabled": key.enabled,
        "created_at": moments::seconds(key.created_at),
        "last_used_at": key.last_used_at.map(moments::seconds),
    })
}
