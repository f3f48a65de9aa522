//! Defines the location of a store.

use std::path::{Path, PathBuf};

use crate::postgres::PostgresUrl;

/// Location of a store: the data directory and, optionally, a PostgreSQL database for the metadata.
#[derive(Debug, Clone)]
pub struct StoreLocation {
    /// Data directory for the master key, and for the metadata and results unless PostgreSQL and S3 store them.
    pub data_dir: PathBuf,
    /// PostgreSQL database for the metadata, or `None` for SQLite in the data directory.
    pub metadata_url: Option<PostgresUrl>,
}

impl<P: AsRef<Path>> From<P> for StoreLocation {
    /// Creates the location of a store with SQLite metadata in the data directory.
    fn from(data_dir: P) -> Self {
        Self { data_dir: data_dir.as_ref().to_owned(), metadata_url: None }
    }
}
