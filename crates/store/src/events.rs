//! Notifications between processes that share a database.

use clew_model::RequestId;

use crate::database::Database;
use crate::postgres::listener::Listener;
use crate::store::Store;

/// A notification. Its change is committed when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// A collection was queued.
    TaskQueued,
    /// A collection has ended.
    TaskEnded(RequestId),
    /// An intelligent kill was queued.
    IntelligentKillQueued,
    /// The `LISTEN` connection is established. Earlier notifications may be lost: poll once.
    Connected,
    /// The `LISTEN` connection is lost. Notifications may be missing until it is restored.
    Disconnected,
}

/// Receiver of notifications. It receives nothing before the first [`StoreEvent::Connected`].
#[derive(Debug)]
pub struct StoreEvents(Listener);

impl Store {
    /// Opens a receiver over a dedicated connection. Returns `None` for SQLite.
    #[must_use]
    pub fn events(&self) -> Option<StoreEvents> {
        match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(StoreEvents(Listener::new(database))),
        }
    }
}

impl StoreEvents {
    /// Returns the next notification. The call is cancel safe.
    pub async fn next(&mut self) -> StoreEvent {
        self.0.next_event().await
    }
}
