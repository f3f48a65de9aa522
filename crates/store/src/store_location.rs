//! Location of a store.

use std::path::{Path, PathBuf};

use crate::postgres::PostgresUrl;

/// Location of a store: the data directory and, optionally, a PostgreSQL database for the metadata.
#[derive(Debug, Clone)]
pub struct StoreLocation {
    /// Data directory, which contains the master key.
    /// The directory also stores the metadata if PostgreSQL is not used, and the results if S3 is not used.
    pub data_dir: PathBuf,
    /// PostgreSQL database for the metadata, or `None` for the SQLite database in the data directory.
    pub metadata_url: Option<PostgresUrl>,
}

impl<P: AsRef<Path>> From<P> for StoreLocation {
    fn from(data_dir: P) -> Self {
        Self { data_dir: data_dir.as_ref().to_owned(), metadata_url: None }
    }
}
