//! Backoff after refused logins, which prevents monitored servers from locking out Clew's account.

use std::time::Duration;

/// Delay before the first retry after a refused login. Each consecutive refusal doubles the delay.
pub(crate) const INITIAL_LOGIN_RETRY_DELAY: Duration = Duration::from_secs(30);
/// Maximum delay before a refused login is retried.
pub(crate) const MAX_LOGIN_RETRY_DELAY: Duration = Duration::from_hours(1);
/// Minimum delay between a refused login and a login requested by a user.
pub const REQUESTED_LOGIN_RETRY_DELAY: Duration = Duration::from_secs(10);

/// Trigger of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginTrigger {
    /// Automatic login, for example for a kill task or a collection retry, delayed until the login backoff expires.
    Automatic,
    /// Login requested by a user, delayed only by [`REQUESTED_LOGIN_RETRY_DELAY`] after a refused login.
    Requested,
}

/// Login backoff of a node after refused logins. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginBackoff {
    /// Number of consecutive refused logins.
    pub refusals: u32,
    /// Message of the last refusal.
    pub reason: String,
    /// Time of the last refusal.
    pub refused_at: i64,
    /// Earliest time of the next automatic login.
    pub retry_at: i64,
}

/// Permission to attempt a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPermit {
    /// The login may be attempted now.
    Granted {
        /// Number of consecutive refused logins so far, which callers pass to [`crate::Store::record_login_refusal`].
        refusals: u32,
    },
    /// The backoff has not ended yet.
    Deferred(LoginBackoff),
}

/// Returns the delay before the next login after the given number of consecutive refused logins.
pub(crate) fn compute_login_retry_delay(refusals: u32) -> Duration {
    let doublings = refusals.saturating_sub(1).min(16);
    INITIAL_LOGIN_RETRY_DELAY.saturating_mul(1 << doublings).min(MAX_LOGIN_RETRY_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        let delays = [1, 2, 3, 7, 8, 100, u32::MAX].map(|refusals| compute_login_retry_delay(refusals).as_secs());
        assert_eq!(delays, [30, 60, 120, 1920, 3600, 3600, 3600]);
    }
}
