//! Change notifications from all processes that share a database.

use crate::database::Database;
use crate::postgres::notification_listener::NotificationListener;
use crate::store::Store;
use crate::store_event::StoreEvent;

/// Receives change notifications. The first notification is always [`StoreEvent::Connected`].
#[derive(Debug)]
pub struct StoreEventReceiver(NotificationListener);

impl Store {
    /// Opens a database connection for change notifications. Returns `None` for SQLite.
    #[must_use]
    pub fn subscribe_to_events(&self) -> Option<StoreEventReceiver> {
        match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(StoreEventReceiver(NotificationListener::new(database))),
        }
    }
}

impl StoreEventReceiver {
    /// Waits for the next change notification. This method is cancel safe.
    pub async fn next(&mut self) -> StoreEvent {
        self.0.next_store_event().await
    }
}
