//! Detects changes to a SQLite or PostgreSQL database.

use crate::database::data_version::DataVersion;
use crate::error::StoreError;
use crate::sqlite::change_detector::DataVersionCache;
use crate::{postgres, sqlite};

pub(crate) enum ChangeDetector {
    Sqlite(sqlite::change_detector::ChangeDetector),
    Postgres(postgres::change_detector::ChangeDetector),
}

impl ChangeDetector {
    /// Returns the cache from which callers can read the data version without a query.
    /// The cache is always empty if the database is PostgreSQL.
    pub(crate) fn data_version_cache(&self) -> DataVersionCache {
        match self {
            Self::Sqlite(detector) => detector.data_version_cache(),
            Self::Postgres(_) => DataVersionCache::default(),
        }
    }

    pub(crate) async fn current_data_version(&mut self) -> Result<DataVersion, StoreError> {
        match self {
            Self::Sqlite(detector) => detector.current_data_version().await,
            Self::Postgres(detector) => detector.current_data_version().await,
        }
    }
}
