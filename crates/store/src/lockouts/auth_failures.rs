//! Lockout state of a user name or access key id after failed authentication attempts.

#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthFailureRecord {
    /// End of the lockout as a Unix timestamp in seconds.
    pub(crate) locked_until: Option<i64>,
}

impl AuthFailureRecord {
    pub(crate) fn active_lockout_end(self, now: i64) -> Option<i64> {
        self.locked_until.filter(|end| *end > now)
    }
}
