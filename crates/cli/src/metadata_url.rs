//! The `--metadata` option: URL of the metadata database.

use std::path::Path;

use clap::Args;
use clew_store::{StoreError, StoreLocation};

use crate::error::CliError;

/// Command-line option for a PostgreSQL metadata database.
#[derive(Debug, Clone, Args)]
pub(crate) struct MetadataArgs {
    /// PostgreSQL database for the metadata, such as postgres://user@host/database?sslmode=verify-full.
    /// Set the database password in PGPASSWORD or ~/.pgpass, because other users can see command lines.
    /// The master key and the results stay in the data directory
    #[arg(long, value_name = "URL", env = "CLEW_METADATA", hide_env_values = true)]
    metadata: Option<String>,
}

impl MetadataArgs {
    /// Returns true if `--metadata` is set.
    pub(crate) fn is_set(&self) -> bool {
        self.metadata.is_some()
    }

    /// Returns the store location from the data directory and `--metadata`.
    pub(crate) fn store_location(&self, data_dir: &Path) -> Result<StoreLocation, CliError> {
        store_location(data_dir, self.metadata.as_deref())
    }
}

/// Returns the store location from a data directory and an optional metadata URL.
/// Errors omit an invalid URL, because the URL may contain a password.
pub(crate) fn store_location(data_dir: &Path, metadata: Option<&str>) -> Result<StoreLocation, CliError> {
    let metadata = metadata.map(str::parse).transpose();
    let metadata = metadata.map_err(|error: StoreError| CliError::new_refusal(error.to_string()))?;
    Ok(StoreLocation { data_dir: data_dir.to_owned(), metadata_url: metadata })
}
