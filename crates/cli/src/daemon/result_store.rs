//! Selects the storage for collection results: the data directory or S3.

use clew_store::S3Settings;
use secrecy::SecretString;

use crate::error::{CliError, ResultExt};

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
    settings.map(Some).or_refusal("--results")
}
