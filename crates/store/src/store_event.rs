//! Notifications about changes to a database that several Clew processes share.

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
    /// On `Connected`, the receiver must query the store, because earlier notifications may have been lost.
    Connected,
    /// The `LISTEN` connection is down. Notifications can be lost until the next [`StoreEvent::Connected`].
    Disconnected,
}
