//! Selects the storage for collection results: the data directory or S3.

use clew_store::{ResultStore, S3Settings, Store};
use secrecy::SecretString;

use crate::error::CliError;

/// Reads the S3 settings from the URL `location` and the `AWS_…` environment variables.
/// Returns `None` if `location` is empty.
pub(super) fn read_s3_settings(location: &str) -> Result<Option<S3Settings>, CliError> {
    if location.is_empty() {
        return Ok(None);
    }
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let require = |name: &str| {
        variable(name)
            .ok_or_else(|| CliError::new_refusal(format!("results on S3 require the environment variable {name}")))
    };
    let (key, secret) = (require("AWS_ACCESS_KEY_ID")?, SecretString::from(require("AWS_SECRET_ACCESS_KEY")?));
    let settings = S3Settings::new(location, variable("AWS_ENDPOINT_URL"), require("AWS_REGION")?, key, secret);
    settings.map(Some).map_err(|error| CliError::new_refusal(format!("--results: {error}")))
}

/// Tests access to S3 and returns a store that saves collection results in S3.
/// If `s3` is `None`, results are stored in the data directory.
pub(super) async fn configure_result_store(store: Store, s3: Option<S3Settings>) -> Result<Store, CliError> {
    match s3 {
        Some(settings) => Ok(store.with_result_store(ResultStore::connect_s3(&settings).await?)),
        None => Ok(store),
    }
}
