//! Notifications between processes that share a database.

use clew_model::RequestId;

/// Notification of a change that a process has committed to the shared database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// A collection task was queued.
    TaskQueued,
    /// A collection task has ended.
    TaskEnded(RequestId),
    /// An intelligent kill was queued.
    IntelligentKillQueued,
    /// The `LISTEN` connection is established.
    /// The receiver of `Connected` must query the store, because notifications of changes may have been lost.
    Connected,
    /// The `LISTEN` connection is lost. Notifications may be lost until the next [`StoreEvent::Connected`].
    Disconnected,
}
