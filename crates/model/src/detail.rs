//! Session details that the process list does not contain.

use std::sync::Arc;

/// Additional columns of a session in a detailed snapshot.
/// A field is `None` if the server does not report the value or if the value does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// Digest of the running statement, in the format of the server.
    pub statement_digest: Option<Vec<u8>>,
    /// Connection attribute `program_name`. Sessions of the same program share one allocation.
    pub program_name: Option<Arc<[u8]>>,
    /// Description of the requested lock. Includes the blocker if the blocker is not a session.
    pub waits_for: Option<String>,
    /// Id of the session that blocks this session.
    pub blocker_id: Option<u64>,
    /// Id of the session at the root of the wait chain.
    pub root_blocker_id: Option<u64>,
}
