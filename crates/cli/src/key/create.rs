//! `clew key create`

use std::time::Duration;

use clap::Args;
use clew_iam::{SecretError, access_key, token};
use clew_model::AccessKeyId;
use clew_store::{IssuedFor, NewTemporaryKey, User};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::directory::{Directory, Place};
use crate::error::CliError;
use crate::listing;
use crate::moments;

/// Shortest and longest life of a temporary key, in seconds: as the API has them.
const LIFE: std::ops::RangeInclusive<u64> = 900..=86_400;

/// Make an access key for a user. Prints the secret once.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Name or id of the user
    user: String,
    /// A key that ends by itself, 15m to 24h; it is good only with its security token
    #[arg(long, value_name = "DURATION", value_parser = parse_life)]
    temporary: Option<Duration>,
    #[command(flatten)]
    place: Place,
}

const AFTER_HELP: &str = "\
Examples:
  clew key create ada
  clew key create ada --temporary 2h --format json

Only a sealed copy of the secret is kept, and of the security token only a hash.";

fn parse_life(text: &str) -> Result<Duration, String> {
    let life = moments::parse_duration(text)?;
    if LIFE.contains(&life.as_secs()) { Ok(life) } else { Err("15m to 24h".to_owned()) }
}

/// What is told once.
struct Made {
    id: AccessKeyId,
    secret: SecretString,
    /// Its security token, and when both end.
    temporary: Option<(SecretString, i64)>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let directory = arguments.place.open().await?;
    let user = directory.user(&arguments.user).await?;
    let made = make(&directory, &user, arguments.temporary).await?;
    let (secret, temporary) = (made.secret.expose_secret(), made.temporary.as_ref());
    let token = temporary.map(|(token, _)| token.expose_secret());
    let ends = temporary.map(|(_, at)| moments::seconds(*at));
    arguments.place.format().say(
        || {
            let facts = listing::facts(&[
                ("  access key", made.id.to_string()),
                ("  secret key", secret.to_owned()),
                ("  security token", token.unwrap_or_default().to_owned()),
                ("  ends", ends.clone().unwrap_or_default()),
            ]);
            format!("Made an access key of {}. It is shown once; keep it:\n\n{facts}", user.name)
        },
        || {
            json!({
                "access_key": made.id, "secret_key": secret, "security_token": token, "expires_at": ends,
                "user": user.name, "user_id": user.id,
            })
        },
    )
}

async fn make(directory: &Directory, user: &User, life: Option<Duration>) -> Result<Made, CliError> {
    let failed = |error: SecretError| CliError::failed(format!("could not make an access key: {error}"));
    let (id, secret) = (AccessKeyId::generate(), access_key::generate_secret().map_err(failed)?);
    let (store, by) = (&directory.store, &directory.by);
    let Some(life) = life else {
        store.create_key(by, &user.id, &id, &secret).await?;
        return Ok(Made { id, secret, temporary: None });
    };
    let token = token::generate().map_err(failed)?;
    let expires_at = Timestamp::now().as_second().saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
    let key = NewTemporaryKey {
        user_id: user.id.clone(),
        id: id.clone(),
        secret: secret.clone(),
        token_hash: token::hash(token.expose_secret()),
        expires_at,
        issued_for: IssuedFor::Nothing,
    };
    store.create_temporary_key(by, &key).await?;
    Ok(Made { id, secret, temporary: Some((token, expires_at)) })
}
