//! Notifications between processes that share a database.

use clew_model::RequestId;

use crate::database::Database;
use crate::postgres::listener::Listener;
use crate::store::Store;

/// A notification. Its change is committed when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A collection was queued.
    Queued,
    /// A collection has ended.
    Ended(RequestId),
    /// An intelligent kill was queued.
    KillQueued,
    /// The `LISTEN` connection is established. Earlier notifications may be lost: poll once.
    Listening,
    /// The `LISTEN` connection is lost. Notifications may be missing until it is restored.
    Deaf,
}

/// Receiver of notifications. It receives nothing before the first [`Notice::Listening`].
#[derive(Debug)]
pub struct Notices(Listener);

impl Store {
    /// Opens a receiver over a dedicated connection. Returns `None` for SQLite.
    #[must_use]
    pub fn notices(&self) -> Option<Notices> {
        match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(Notices(Listener::new(database))),
        }
    }
}

impl Notices {
    /// Returns the next notification. The call is cancel safe.
    pub async fn next(&mut self) -> Notice {
        self.0.next().await
    }
}
