//! Back-off of logins: a node that refuses the account is not asked each second, so that the server does not lock the account.

use std::time::Duration;

/// Time before the first retry after a refused login. It doubles with each further refusal.
pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(30);
/// Maximum time before a retry.
pub(crate) const MAX_RETRY: Duration = Duration::from_hours(1);
/// Minimum time between a refused login and one that a user requests.
pub const REQUESTED_RETRY: Duration = Duration::from_secs(10);

/// Origin of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginCause {
    /// Clew itself: a kill task, a retry of a collection, a poll of the live feed. Waits for the back-off.
    Automatic,
    /// A user, who may have repaired the account. Waits for [`REQUESTED_RETRY`] only.
    Requested,
}

/// Refused logins of a node. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginBackoff {
    /// Refused logins in a row.
    pub refusals: u32,
    /// Message of the last refusal.
    pub reason: String,
    /// Time of the last refusal.
    pub refused_at: i64,
    /// Earliest time of the next automatic login.
    pub retry_at: i64,
}

/// Whether a login may be attempted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPermit {
    /// Granted, with the number of earlier refusals to report with the outcome.
    Granted {
        /// Refused logins in a row before this one.
        refusals: u32,
    },
    /// Not before the end of the back-off.
    Deferred(LoginBackoff),
}

/// Time before the retry that follows so many refusals in a row.
pub(crate) fn delay_after(refusals: u32) -> Duration {
    let doublings = refusals.saturating_sub(1).min(16);
    FIRST_RETRY.saturating_mul(1 << doublings).min(MAX_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        let delays = [1, 2, 3, 7, 8, 100, u32::MAX].map(|refusals| delay_after(refusals).as_secs());
        assert_eq!(delays, [30, 60, 120, 1920, 3600, 3600, 3600]);
    }
}
