//! Where the metadata is.

use std::path::Path;

use clap::Args;
use clew_store::{Location, StoreError};

use crate::error::CliError;

/// Where the metadata is, if not in the folder.
#[derive(Debug, Clone, Args)]
pub(crate) struct Metadata {
    /// PostgreSQL database that keeps the metadata instead of the folder, such as postgres://user@host/database?sslmode=verify-full. Its
    /// password belongs into PGPASSWORD or ~/.pgpass: others see what is typed. The master key and the results stay in the folder
    #[arg(long, value_name = "URL", env = "CLEW_METADATA", hide_env_values = true)]
    metadata: Option<String>,
}

impl Metadata {
    /// Whether the metadata is in a database.
    pub(crate) fn is_given(&self) -> bool {
        self.metadata.is_some()
    }

    /// A folder, with the metadata where it is.
    pub(crate) fn with(&self, data_dir: &Path) -> Result<Location, CliError> {
        location(data_dir, self.metadata.as_deref())
    }
}

/// A folder, with the metadata where it is. An address that cannot be one is not shown: it may have a password in it.
pub(crate) fn location(data_dir: &Path, metadata: Option<&str>) -> Result<Location, CliError> {
    let metadata = metadata.map(str::parse).transpose();
    let metadata = metadata.map_err(|error: StoreError| CliError::refused(error.to_string()))?;
    Ok(Location { data_dir: data_dir.to_owned(), metadata })
}
