//! Notifications between processes that share a database.

use clew_model::RequestId;

/// Notification of a change that any process with the same database has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// A collection task was queued.
    TaskQueued,
    /// A collection task has ended.
    TaskEnded(RequestId),
    /// An intelligent kill was queued.
    IntelligentKillQueued,
    /// The `LISTEN` connection is established.
    /// The receiver must poll the store once, because notifications before this event may have been lost.
    Connected,
    /// The `LISTEN` connection is lost. Notifications may be lost until the next [`StoreEvent::Connected`].
    Disconnected,
}
