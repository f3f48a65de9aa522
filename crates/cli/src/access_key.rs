//! `clew key …`: manages access keys, which sign API requests.

use std::time::Duration;

use clap::Subcommand;
use clew_iam::{access_key, token};
use clew_model::AccessKeyId;
use clew_store::{AccessKeyMetadata, IssuingCredentials, NewTemporaryAccessKey};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::command_group::CommandGroup;
use crate::confirmation::ConfirmationArgs;
use crate::error::{CliError, ResultExt, refused};
use crate::identity_directory::IdentityDirectory;
use crate::store_args::IamDomainArgs;
use crate::text_table::{self, ListFormat, format_yes_no};
use crate::time;

pub(crate) type AccessKeyCommandArgs = CommandGroup<AccessKeyCommand, IamDomainArgs>;

#[derive(Debug, Subcommand)]
pub(crate) enum AccessKeyCommand {
    /// Create an access key for a user and print the secret key once.
    #[command(after_help = CREATE_COMMAND_AFTER_HELP)]
    Create {
        /// Name or id of the user
        user: String,
        /// Create a temporary key with this lifetime (15m to 24h).
        /// Requests signed with a temporary key must include its security token
        #[arg(long, value_name = "DURATION", value_parser = parse_temporary_key_lifetime)]
        temporary: Option<Duration>,
    },
    /// List access keys with the time of their last use.
    #[command(after_help = "Examples:\n  clew key list\n  clew key list ada")]
    List {
        /// Name or id of the user; only this user's keys are listed [default: all users]
        user: Option<String>,
    },
    /// Enable an access key.
    #[command(after_help = "Example:\n  clew key enable AKID")]
    Enable {
        /// Access key id
        access_key: AccessKeyId,
    },
    /// Disable an access key and revoke all tokens and temporary keys of its user.
    #[command(after_help = "Example:\n  clew key disable AKID")]
    Disable {
        /// Access key id
        access_key: AccessKeyId,
    },
    /// Delete an access key and revoke all tokens and temporary keys of its user.
    #[command(after_help = "Example:\n  clew key remove AKID --yes")]
    Remove {
        /// Access key id
        access_key: AccessKeyId,
        #[command(flatten)]
        confirmation: ConfirmationArgs,
    },
}

pub(crate) const ACCESS_KEY_LIST_FORMAT: ListFormat<(String, AccessKeyMetadata), 5> = ListFormat {
    json_key: "access_keys",
    headings: ["ACCESS KEY", "USER", "ENABLED", "CREATED", "LAST USED"],
    empty_message: "No access keys. Create one with clew key create.",
    to_row: |(user, key)| {
        let last_used = key.last_used_at.map_or("never".to_owned(), time::format_unix_seconds);
        let created = time::format_unix_seconds(key.created_at);
        [key.id.to_string(), user.clone(), format_yes_no(key.enabled), created, last_used]
    },
    to_json: access_key_to_json,
};

pub(crate) async fn run(arguments: AccessKeyCommandArgs) -> Result<(), CliError> {
    let directory = arguments.options.open_identity_directory().await?;
    match arguments.command {
        AccessKeyCommand::Create { user, temporary } => create_access_key(&directory, &user, temporary).await,
        AccessKeyCommand::List { user } => list_access_keys(&directory, user.as_deref()).await,
        AccessKeyCommand::Enable { access_key } => set_access_key_enabled(&directory, &access_key, true).await,
        AccessKeyCommand::Disable { access_key } => set_access_key_enabled(&directory, &access_key, false).await,
        AccessKeyCommand::Remove { access_key: id, confirmation } => {
            let user = find_user_of_access_key(&directory, &id).await?;
            confirmation.prompt_for_confirmation(format!("remove the access key {id} of {user}")).await?;
            directory.store.identities().remove_access_key(&directory.origin, &id).await?;
            directory.format.print(|| format!("Removed the access key {id} of {user}.\n"), || json!({ "removed": id }))
        }
    }
}

/// The API accepts the same range.
const TEMPORARY_KEY_LIFETIME_RANGE_SECONDS: std::ops::RangeInclusive<u64> = 900..=86_400;

const CREATE_COMMAND_AFTER_HELP: &str = "\
Examples:
  clew key create ada
  clew key create ada --temporary 2h --format json

Clew stores an encrypted copy of the secret, and only a hash of the security token.";

fn parse_temporary_key_lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = time::parse_duration(text)?;
    if TEMPORARY_KEY_LIFETIME_RANGE_SECONDS.contains(&lifetime.as_secs()) {
        Ok(lifetime)
    } else {
        Err("expected 15m to 24h".to_owned())
    }
}

async fn create_access_key(
    directory: &IdentityDirectory,
    user: &str,
    lifetime: Option<Duration>,
) -> Result<(), CliError> {
    let user = directory.find_user(user).await?;
    let (identities, origin) = (directory.store.identities(), &directory.origin);
    let operation = "could not create an access key";
    let (id, secret) = (AccessKeyId::generate(), access_key::generate_secret_key().with_failure_context(operation)?);
    let (mut security_token, mut expires_at) = (None, None);
    if let Some(lifetime) = lifetime {
        let token = token::generate_token().with_failure_context(operation)?;
        let lifetime_seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let key = NewTemporaryAccessKey {
            user_id: user.id.clone(),
            id: id.clone(),
            secret: secret.clone(),
            token_hash: token::hash_token(token.expose_secret()),
            expires_at: Timestamp::now().as_second().saturating_add(lifetime_seconds),
            issued_for: IssuingCredentials::CommandLine,
        };
        identities.create_temporary_key(origin, &key).await?;
        (security_token, expires_at) = (Some(token), Some(time::format_unix_seconds(key.expires_at)));
    } else {
        identities.create_access_key(origin, &user.id, &id, &secret).await?;
    }
    let (secret, token) = (secret.expose_secret(), security_token.as_ref().map(ExposeSecret::expose_secret));
    directory.format.print(
        || {
            let fields = text_table::render_field_list(&[
                ("  access key", id.to_string()),
                ("  secret key", secret.to_owned()),
                ("  security token", token.unwrap_or_default().to_owned()),
                ("  expires", expires_at.clone().unwrap_or_default()),
            ]);
            format!(
                "Created an access key of {}. The secrets are shown only once; store them now:\n\n{fields}",
                user.name
            )
        },
        || {
            json!({
                "access_key": id, "secret_key": secret, "security_token": token, "expires_at": expires_at,
                "user": user.name, "user_id": user.id,
            })
        },
    )
}

async fn list_access_keys(directory: &IdentityDirectory, user: Option<&str>) -> Result<(), CliError> {
    let identities = directory.store.identities();
    let users = match user {
        Some(user) => vec![directory.find_user(user).await?],
        None => identities.list_users(&directory.domain.id).await?,
    };
    let mut keys = Vec::new();
    for user in users {
        let keys_of_user = identities.list_access_keys(&user.id).await?;
        keys.extend(keys_of_user.into_iter().map(|key| (user.name.clone(), key)));
    }
    ACCESS_KEY_LIST_FORMAT.print(directory.format, &keys)
}

async fn set_access_key_enabled(
    directory: &IdentityDirectory,
    id: &AccessKeyId,
    enabled: bool,
) -> Result<(), CliError> {
    let user = find_user_of_access_key(directory, id).await?;
    directory.store.identities().set_access_key_enabled(&directory.origin, id, enabled).await?;
    directory.format.print(
        || format!("{} the access key {id} of {user}.\n", if enabled { "Enabled" } else { "Disabled" }),
        || json!({ "access_key": id, "user": user, "enabled": enabled }),
    )
}

async fn find_user_of_access_key(directory: &IdentityDirectory, id: &AccessKeyId) -> Result<String, CliError> {
    let unknown = || refused!("there is no access key {id}").with_suggested_fix("clew key list shows all");
    let identities = directory.store.identities();
    let key = identities.find_access_key_metadata(id).await?.ok_or_else(unknown)?;
    let user = identities.find_user(&key.user_id).await?.filter(|user| user.domain_id == directory.domain.id);
    user.map(|user| user.name).ok_or_else(unknown)
}

fn access_key_to_json((user, key): &(String, AccessKeyMetadata)) -> Value {
    json!({
        "access_key": key.id,
        "user": user,
        "user_id": key.user_id,
        "enabled": key.enabled,
        "created_at": time::format_unix_seconds(key.created_at),
        "last_used_at": key.last_used_at.map(time::format_unix_seconds),
    })
}
