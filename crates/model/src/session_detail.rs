//! Session details that the process list does not contain.

use std::sync::Arc;

/// Details of a session, which a detailed snapshot shows as additional columns.
/// A field is `None` if the server does not report the value or if the value does not apply to the session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// Digest of the running statement, as reported by the server.
    pub statement_digest: Option<Vec<u8>>,
    /// Client program name from the connection attribute `program_name`. Sessions of one program share the allocation.
    pub program_name: Option<Arc<[u8]>>,
    /// Description of the requested lock. It names the blocker if the blocker is a transaction without a session.
    pub waits_for: Option<String>,
    /// Id of the session that blocks the waiting session.
    pub blocker_id: Option<u64>,
    /// Id of the session at the root of the wait chain.
    pub root_blocker_id: Option<u64>,
}
