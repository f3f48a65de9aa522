//! Type of the notifications between processes that share a database.

use clew_model::RequestId;

/// Notification about a change by any process. The change is already committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// A collection was queued.
    TaskQueued,
    /// A collection has ended.
    TaskEnded(RequestId),
    /// An intelligent kill was queued.
    IntelligentKillQueued,
    /// The `LISTEN` connection is established. Previous notifications may be lost, so the receiver must poll once.
    Connected,
    /// The `LISTEN` connection is lost. Notifications may be lost until [`StoreEvent::Connected`].
    Disconnected,
}
