//! Where results are kept: in the data directory unless told otherwise.

use clew_store::{ResultStore, S3Settings, Store};
use secrecy::SecretString;

use crate::error::CliError;

/// S3, with what the environment says of it, where `location` is not empty.
pub(super) fn s3_settings(location: &str) -> Result<Option<S3Settings>, CliError> {
    if location.is_empty() {
        return Ok(None);
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let needed = |name: &str| variable(name).ok_or_else(|| CliError::refused(format!("results on S3 need {name}")));
    let (key, secret) = (needed("AWS_ACCESS_KEY_ID")?, SecretString::from(needed("AWS_SECRET_ACCESS_KEY")?));
    let settings = S3Settings::new(location, variable("AWS_ENDPOINT_URL"), needed("AWS_REGION")?, key, secret);
    settings.map(Some).map_err(|wrong| CliError::refused(format!("--results: {wrong}")))
}

/// The store with its results there, once that was found to work.
pub(super) async fn keep(store: Store, s3: Option<S3Settings>) -> Result<Store, CliError> {
    match s3 {
        Some(settings) => Ok(store.with_results(ResultStore::s3(&settings).await?)),
        None => Ok(store),
    }
}
