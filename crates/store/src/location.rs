//! Where a store keeps what it keeps.

use std::path::{Path, PathBuf};

use crate::postgres::PostgresUrl;

/// A data directory, and where the metadata is if not there.
#[derive(Debug, Clone)]
pub struct Location {
    /// The directory. The master key and the results are always there.
    pub data_dir: PathBuf,
    /// The PostgreSQL database with the metadata; else it is in a file of the directory.
    pub metadata: Option<PostgresUrl>,
}

impl<P: AsRef<Path>> From<P> for Location {
    /// Everything in one directory.
    fn from(data_dir: P) -> Self {
        Self { data_dir: data_dir.as_ref().to_owned(), metadata: None }
    }
}
