//! What is known of a session beyond its row in the process list.

use std::sync::Arc;

/// What a detailed snapshot adds to a session; nothing of it is what the server does not say, or what does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// The server's digest of the running statement, as it prints it.
    pub statement_digest: Option<Vec<u8>>,
    /// The client's `program_name`; one for all the sessions of a program.
    pub program_name: Option<Arc<[u8]>>,
    /// What it waits for, in words; and where the blocker is no session, what it is.
    pub waits_for: Option<String>,
    /// The session for which it waits.
    pub blocker_id: Option<u64>,
    /// The session at the root of the wait.
    pub root_blocker_id: Option<u64>,
}
