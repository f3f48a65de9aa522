//! `clew key create`: creates permanent and temporary access keys.

use std::time::Duration;

use clew_iam::{access_key, token};
use clew_model::AccessKeyId;
use clew_store::{IssuingCredentials, NewTemporaryAccessKey};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::error::{CliError, ResultExt};
use crate::identity_directory::IdentityDirectory;
use crate::text_table;
use crate::time;

/// Range of valid lifetimes for a temporary access key. The API accepts the same range.
const TEMPORARY_KEY_LIFETIME_RANGE_SECONDS: std::ops::RangeInclusive<u64> = 900..=86_400;

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew key create ada
  clew key create ada --temporary 2h --format json

Clew stores an encrypted copy of the secret, and only a hash of the security token.";

pub(super) fn parse_temporary_key_lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = time::parse_duration(text)?;
    if TEMPORARY_KEY_LIFETIME_RANGE_SECONDS.contains(&lifetime.as_secs()) {
        Ok(lifetime)
    } else {
        Err("expected 15m to 24h".to_owned())
    }
}

pub(super) async fn run(directory: &IdentityDirectory, user: &str, lifetime: Option<Duration>) -> Result<(), CliError> {
    let user = directory.find_user(user).await?;
    let (identities, origin) = (directory.store.identities(), &directory.origin);
    let operation = "could not create an access key";
    let (id, secret) = (AccessKeyId::generate(), access_key::generate_secret_key().map_err_to_failed(operation)?);
    let (mut security_token, mut expires_at) = (None, None);
    if let Some(lifetime) = lifetime {
        let token = token::generate_token().map_err_to_failed(operation)?;
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
