//! Details of a session that the process list does not contain.

use std::sync::Arc;

/// Details of a session in a detailed snapshot.
/// `None` means that the server does not report the value, or that it does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// Digest of the running statement, in the server's format.
    pub statement_digest: Option<Vec<u8>>,
    /// Connection attribute `program_name` of the client. Sessions of one program share the value.
    pub program_name: Option<Arc<[u8]>>,
    /// Description of the awaited lock, and of the blocker if that is not a session.
    pub waits_for: Option<String>,
    /// Session that blocks this session.
    pub blocker_id: Option<u64>,
    /// Session at the root of the wait chain.
    pub root_blocker_id: Option<u64>,
}
