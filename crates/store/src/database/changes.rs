//! What has changed since the last time that it was asked, by whatever process.

use crate::error::StoreError;
use crate::freshness::Moment;
use crate::sqlite::changes::Glance;
use crate::{postgres, sqlite};

/// Asks a database.
pub(crate) enum Changes {
    /// A file.
    Sqlite(sqlite::changes::Changes),
    /// A server's.
    Postgres(postgres::changes::Changes),
}

impl Changes {
    /// What can be seen without asking: of a server's database nothing.
    pub(crate) fn glance(&self) -> Glance {
        match self {
            Self::Sqlite(changes) => changes.glance(),
            Self::Postgres(_) => Glance::default(),
        }
    }

    /// How far the changes have come.
    pub(crate) async fn moment(&mut self) -> Result<Moment, StoreError> {
        match self {
            Self::Sqlite(changes) => changes.moment().await,
            Self::Postgres(changes) => changes.moment().await,
        }
    }
}
