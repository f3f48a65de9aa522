//! Session details that the process list does not contain.

use std::sync::Arc;

/// Session details that a detailed snapshot shows in additional columns.
/// A field is `None` if the server does not report the value or if the value does not apply to the session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// Digest of the running statement, as reported by the server.
    pub statement_digest: Option<Vec<u8>>,
    /// Client program name (connection attribute `program_name`). Sessions of the same program share one allocation.
    pub program_name: Option<Arc<[u8]>>,
    /// Description of the lock that the session waits for. Also names the blocking transaction if it has no session.
    pub waits_for: Option<String>,
    /// Session id of the blocker if the session waits for a lock.
    pub blocker_id: Option<u64>,
    /// Session id of the root blocker, which is at the end of the wait chain.
    pub root_blocker_id: Option<u64>,
}
