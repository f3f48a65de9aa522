//! Defines the `--metadata-url` option, which sets the URL of the metadata database.

use std::path::Path;

use clap::Args;
use clew_store::{StoreError, StoreLocation};

use crate::error::CliError;

#[derive(Debug, Clone, Args)]
pub(crate) struct MetadataUrlArgs {
    /// PostgreSQL database for the metadata, such as postgres://user@host/database?sslmode=verify-full.
    /// Set the database password in PGPASSWORD or ~/.pgpass, not in the URL: other users can see command lines.
    /// The master key is not stored in PostgreSQL but always in the data directory
    #[arg(long, value_name = "URL", env = "CLEW_METADATA_URL", hide_env_values = true)]
    metadata_url: Option<String>,
}

impl MetadataUrlArgs {
    /// Returns true if `--metadata-url` or its environment variable is set.
    pub(crate) fn is_metadata_database_configured(&self) -> bool {
        self.metadata_url.is_some()
    }

    pub(crate) fn resolve_store_location(&self, data_dir: &Path) -> Result<StoreLocation, CliError> {
        build_store_location(data_dir, self.metadata_url.as_deref())
    }
}

/// Error messages omit an invalid URL, because it may contain a password.
pub(crate) fn build_store_location(data_dir: &Path, metadata_url: Option<&str>) -> Result<StoreLocation, CliError> {
    let metadata_url = metadata_url.map(str::parse).transpose();
    let metadata_url = metadata_url.map_err(|error: StoreError| CliError::new_refusal(error.to_string()))?;
    Ok(StoreLocation { data_dir: data_dir.to_owned(), metadata_url })
}
