//! Defines the notifications between processes that share a database.

use clew_model::RequestId;

/// Notification of a change that was committed by a process that shares the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// A collection was queued.
    TaskQueued,
    /// A collection has ended.
    TaskEnded(RequestId),
    /// An intelligent kill was queued.
    IntelligentKillQueued,
    /// The `LISTEN` connection is established.
    /// The receiver must poll the store once, because earlier notifications may have been lost.
    Connected,
    /// The `LISTEN` connection is lost. Notifications may be lost until [`StoreEvent::Connected`].
    Disconnected,
}
