//! Location of a store.

use std::path::{Path, PathBuf};

use crate::postgres::PostgresUrl;

/// Data directory, and the metadata database if it is on a server.
#[derive(Debug, Clone)]
pub struct Location {
    /// Data directory. It contains the master key, and the results unless S3 stores them.
    pub data_dir: PathBuf,
    /// PostgreSQL database with the metadata. `None` for SQLite in the data directory.
    pub metadata_url: Option<PostgresUrl>,
}

impl<P: AsRef<Path>> From<P> for Location {
    /// Location with the metadata in the data directory.
    fn from(data_dir: P) -> Self {
        Self { data_dir: data_dir.as_ref().to_owned(), metadata_url: None }
    }
}
