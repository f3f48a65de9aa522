//! Delays the next login after a monitored server has refused one, because repeated logins could lock Clew's account.

use std::time::Duration;

/// Login delay after the first refused login. Each further consecutive refusal doubles the delay.
pub(crate) const INITIAL_LOGIN_RETRY_DELAY: Duration = Duration::from_secs(30);
pub(crate) const MAX_LOGIN_RETRY_DELAY: Duration = Duration::from_hours(1);
/// Minimum delay between a refused login and the next login for a user request.
pub const USER_REQUESTED_LOGIN_RETRY_DELAY: Duration = Duration::from_secs(10);

/// Trigger of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginTrigger {
    /// Automatic login, for example for a kill task. The login is allowed only after the backoff has expired.
    Automatic,
    /// Login for a user request.
    /// The login is allowed once [`USER_REQUESTED_LOGIN_RETRY_DELAY`] has elapsed since the last refused login.
    Requested,
}

/// Backoff of a node that refused Clew's logins. Times are Unix timestamps in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginBackoff {
    /// Number of consecutive logins that the node has refused.
    pub refusals: u32,
    /// Error message of the last login that the node refused.
    pub reason: String,
    /// Time of the last login that the node refused.
    pub refused_at: i64,
    /// Time when the next automatic login is allowed.
    pub retry_at: i64,
}

/// Permission to attempt a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPermitDecision {
    /// The login is allowed.
    Granted {
        /// Number of consecutive refused logins, which callers pass to [`crate::InstanceStore::record_login_refusal`].
        refusals: u32,
    },
    /// The backoff has not expired.
    Deferred(LoginBackoff),
}

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
