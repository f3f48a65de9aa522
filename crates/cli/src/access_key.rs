//! `clew key …`: manages access keys, which sign API requests.

mod create;

use clap::{Args, Subcommand};
use clew_model::AccessKeyId;
use clew_store::AccessKeyMetadata;
use serde_json::{Value, json};

use crate::confirm::ConfirmationArgs;
use crate::error::CliError;
use crate::identity_directory::IdentityDirectory;
use crate::store_args::IamDomainArgs;
use crate::text_table::{self, format_yes_no};
use crate::time;

#[derive(Debug, Args)]
pub(crate) struct AccessKeyCommandArgs {
    #[command(subcommand)]
    command: AccessKeyCommand,
}

#[derive(Debug, Subcommand)]
enum AccessKeyCommand {
    Create(create::CreateArgs),
    List(ListArgs),
    Enable(EnableArgs),
    Disable(DisableArgs),
    Remove(RemoveArgs),
}

/// List access keys with the time of their last use.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  clew key list\n  clew key list ada")]
struct ListArgs {
    /// Name or id of the user; only this user's keys are listed [default: all users]
    user: Option<String>,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Enable an access key.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew key enable AKID")]
struct EnableArgs {
    /// Access key id
    access_key: AccessKeyId,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Disable an access key and revoke all tokens and temporary keys of its user.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew key disable AKID")]
struct DisableArgs {
    /// Access key id
    access_key: AccessKeyId,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

/// Delete an access key and revoke all tokens and temporary keys of its user.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew key remove AKID --yes")]
struct RemoveArgs {
    /// Access key id
    access_key: AccessKeyId,
    #[command(flatten)]
    confirmation: ConfirmationArgs,
    #[command(flatten)]
    domain_args: IamDomainArgs,
}

pub(crate) async fn run(arguments: AccessKeyCommandArgs) -> Result<(), CliError> {
    match arguments.command {
        AccessKeyCommand::Create(arguments) => create::run(arguments).await,
        AccessKeyCommand::List(arguments) => list_access_keys(arguments).await,
        AccessKeyCommand::Enable(arguments) => {
            set_access_key_enabled(&arguments.domain_args, &arguments.access_key, true).await
        }
        AccessKeyCommand::Disable(arguments) => {
            set_access_key_enabled(&arguments.domain_args, &arguments.access_key, false).await
        }
        AccessKeyCommand::Remove(arguments) => remove_access_key(arguments).await,
    }
}

async fn list_access_keys(arguments: ListArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let users = match &arguments.user {
        Some(user) => vec![directory.find_user(user).await?],
        None => directory.store.identities().list_users(&directory.domain.id).await?,
    };
    let mut keys = Vec::new();
    for user in users {
        keys.extend(
            directory
                .store
                .identities()
                .list_access_keys(&user.id)
                .await?
                .into_iter()
                .map(|key| (user.name.clone(), key)),
        );
    }
    arguments.domain_args.output_format().print(
        || render_access_key_table(&keys),
        || json!({ "access_keys": keys.iter().map(|(user, key)| access_key_to_json(user, key)).collect::<Vec<_>>() }),
    )
}

async fn set_access_key_enabled(domain_args: &IamDomainArgs, id: &AccessKeyId, enabled: bool) -> Result<(), CliError> {
    let directory = domain_args.open_identity_directory().await?;
    let (user, _) = find_access_key(&directory, id).await?;
    directory.store.identities().set_access_key_enabled(&directory.origin, id, enabled).await?;
    domain_args.output_format().print(
        || format!("{} the access key {id} of {user}.\n", if enabled { "Enabled" } else { "Disabled" }),
        || json!({ "access_key": id, "user": user, "enabled": enabled }),
    )
}

async fn remove_access_key(arguments: RemoveArgs) -> Result<(), CliError> {
    let directory = arguments.domain_args.open_identity_directory().await?;
    let id = &arguments.access_key;
    let (user, _) = find_access_key(&directory, id).await?;
    arguments.confirmation.prompt_for_confirmation(format!("remove the access key {id} of {user}")).await?;
    directory.store.identities().remove_access_key(&directory.origin, id).await?;
    arguments
        .domain_args
        .output_format()
        .print(|| format!("Removed the access key {id} of {user}.\n"), || json!({ "removed": id }))
}

async fn find_access_key(
    directory: &IdentityDirectory,
    id: &AccessKeyId,
) -> Result<(String, AccessKeyMetadata), CliError> {
    let unknown =
        || CliError::new_refusal(format!("there is no access key {id}")).with_suggested_fix("clew key list shows all");
    let key = directory.store.identities().find_access_key_metadata(id).await?.ok_or_else(unknown)?;
    let user = directory
        .store
        .identities()
        .find_user(&key.user_id)
        .await?
        .filter(|user| user.domain_id == directory.domain.id);
    user.map(|user| (user.name, key)).ok_or_else(unknown)
}

/// Each element of `keys` pairs a user name with an access key.
pub(crate) fn render_access_key_table(keys: &[(String, AccessKeyMetadata)]) -> String {
    let row = |(user, key): &(String, AccessKeyMetadata)| {
        let last_used = key.last_used_at.map_or("never".to_owned(), time::format_unix_seconds);
        [
            key.id.to_string(),
            user.clone(),
            format_yes_no(key.enabled),
            time::format_unix_seconds(key.created_at),
            last_used,
        ]
    };
    let headings = ["ACCESS KEY", "USER", "ENABLED", "CREATED", "LAST USED"];
    text_table::render_table(
        headings,
        keys.iter().map(row).collect(),
        "No access keys. Create one with clew key create.",
    )
}

/// The returned JSON object omits the secret key.
pub(crate) fn access_key_to_json(user: &str, key: &AccessKeyMetadata) -> Value {
    json!({
        "access_key": key.id,
        "user": user,
        "user_id": key.user_id,
        "enabled": key.enabled,
        "created_at": time::format_unix_seconds(key.created_at),
        "last_used_at": key.last_used_at.map(time::format_unix_seconds),
    })
}
