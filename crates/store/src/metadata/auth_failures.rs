//! Defines the lockout state of a subject with authentication failures.

/// Lockout state of a subject with at least one authentication failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthFailures {
    /// End of the lockout as a Unix timestamp in seconds, or `None` if the subject was not locked.
    pub(super) locked_until: Option<i64>,
}

impl AuthFailures {
    /// Returns the end of the lockout if the subject is locked at the time `now`.
    pub(crate) fn lockout_end(self, now: i64) -> Option<i64> {
        self.locked_until.filter(|end| *end > now)
    }
}
