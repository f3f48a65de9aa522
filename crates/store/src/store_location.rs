//! Location of a store.

use std::path::{Path, PathBuf};

use crate::postgres::PostgresUrl;

/// Location of a store: the data directory and, optionally, a PostgreSQL database for the metadata.
#[derive(Debug, Clone)]
pub struct StoreLocation {
    /// Data directory, which contains the master key.
    /// The data directory stores the metadata unless PostgreSQL is used, and the results unless S3 is used.
    pub data_dir: PathBuf,
    /// PostgreSQL database for the metadata, or `None` for the SQLite database in the data directory.
    pub metadata_url: Option<PostgresUrl>,
}

impl<P: AsRef<Path>> From<P> for StoreLocation {
    fn from(data_dir: P) -> Self {
        Self { data_dir: data_dir.as_ref().to_owned(), metadata_url: None }
    }
}
