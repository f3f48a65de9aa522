//! Session details that MySQL's process list does not contain.

use std::sync::Arc;

/// Session details shown in the additional columns of a detailed snapshot.
/// A field is `None` if the server does not report its value or the field does not apply to the session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// Digest of the running statement, as reported by the server.
    pub statement_digest: Option<Vec<u8>>,
    /// Program name from the connection attribute `program_name`.
    pub program_name: Option<Arc<[u8]>>,
    /// Description of the lock that the session is waiting for.
    /// If a blocking transaction has no session, the description identifies the transaction.
    pub waits_for: Option<String>,
    /// Session id of the blocker, if the session is waiting for a lock.
    pub blocker_id: Option<u64>,
    /// Session id of the root blocker, which is at the end of the wait chain.
    pub root_blocker_id: Option<u64>,
}
