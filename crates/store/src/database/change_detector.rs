//! Detects changes to a SQLite or PostgreSQL database.

use crate::database::data_version::DataVersion;
use crate::error::StoreError;
use crate::{postgres, sqlite};

pub(crate) enum ChangeDetector {
    Sqlite(sqlite::change_detector::ChangeDetector),
    Postgres(postgres::change_detector::ChangeDetector),
}

impl ChangeDetector {
    pub(crate) async fn current_data_version(&mut self) -> Result<DataVersion, StoreError> {
        match self {
            Self::Sqlite(detector) => detector.current_data_version().await,
            Self::Postgres(detector) => detector.current_data_version().await,
        }
    }
}
