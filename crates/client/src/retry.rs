//! Retry policy: decides which errors are retryable and computes the backoff between attempts.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::config::Settings;
use crate::error::ClientError;

/// A request that the server may have executed is retried only if it is idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotency {
    Idempotent,
    NonIdempotent,
}

pub(crate) fn is_retryable(error: &ClientError, idempotency: Idempotency) -> bool {
    match error {
        // The server rejected the request or never received it, so the request was not executed.
        ClientError::Connect { .. } | ClientError::Api { status: 429 | 503, .. } => true,
        ClientError::Api { status: 500..=599, .. }
        | ClientError::Timeout { .. }
        | ClientError::ConnectionLost { .. } => idempotency == Idempotency::Idempotent,
        _ => false,
    }
}

/// `attempt` is the number of the failed attempt, starting at 1.
/// Returns `None` if the server requests a delay longer than [`Settings::max_backoff`].
/// `jitter`, a number from 0 to 1, shortens the delay by up to 50%.
pub(crate) fn compute_backoff_delay(
    settings: &Settings,
    attempt: u32,
    error: &ClientError,
    jitter: f64,
) -> Option<Duration> {
    if let ClientError::Api { retry_after: Some(retry_after), .. } = error {
        return Some(*retry_after).filter(|retry_after| *retry_after <= settings.max_backoff);
    }
    let doubled =
        settings.initial_backoff.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    Some(doubled.min(settings.max_backoff).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0))
}

/// Returns a random number from 0 to 1.
pub(crate) fn random_jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let top: u32 = u32::try_from(random >> 32).unwrap_or(u32::MAX);
    f64::from(top) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, retry_after: Option<u64>) -> ClientError {
        ClientError::Api {
            operation: "testing",
            status,
            error_code: "X".into(),
            error_msg: "x".into(),
            request_id: None,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn timeout() -> ClientError {
        ClientError::Timeout { operation: "testing", endpoint: "x".into(), limit: Duration::ZERO }
    }

    #[test]
    fn idempotent_request_is_retried_after_temporary_errors() {
        for (status, retryable) in
            [(400, false), (401, false), (404, false), (409, false), (429, true), (500, true), (599, true)]
        {
            assert_eq!(is_retryable(&api(status, None), Idempotency::Idempotent), retryable, "{status}");
        }
        assert!(is_retryable(&timeout(), Idempotency::Idempotent));
    }

    #[test]
    fn non_idempotent_request_is_retried_only_if_it_was_not_executed() {
        for (status, retryable) in [(400, false), (429, true), (500, false), (502, false), (503, true), (504, false)] {
            assert_eq!(is_retryable(&api(status, None), Idempotency::NonIdempotent), retryable, "{status}");
        }
        assert!(!is_retryable(&timeout(), Idempotency::NonIdempotent));
    }

    #[test]
    fn backoff_doubles_up_to_the_maximum_and_jitter_halves_it_at_most() {
        let settings = Settings {
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(10),
            ..Settings::default()
        };
        let error = api(503, None);
        let backoffs: Vec<u64> = (1..=6)
            .filter_map(|attempt| compute_backoff_delay(&settings, attempt, &error, 0.0))
            .map(|backoff| backoff.as_secs())
            .collect();
        assert_eq!(backoffs, [1, 2, 4, 8, 10, 10]);
        assert_eq!(compute_backoff_delay(&settings, 3, &error, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(compute_backoff_delay(&settings, u32::MAX, &error, 0.0), Some(Duration::from_secs(10)));
    }

    #[test]
    fn retry_after_is_respected_up_to_the_maximum_backoff() {
        let settings = Settings { max_backoff: Duration::from_secs(10), ..Settings::default() };
        assert_eq!(compute_backoff_delay(&settings, 1, &api(429, Some(7)), 0.5), Some(Duration::from_secs(7)));
        assert_eq!(compute_backoff_delay(&settings, 4, &api(503, Some(0)), 0.5), Some(Duration::ZERO));
        assert_eq!(compute_backoff_delay(&settings, 1, &api(429, Some(11)), 0.5), None);
    }

    #[test]
    fn jitter_is_random_and_in_range() {
        let values: Vec<f64> = (0..100).map(|_| random_jitter()).collect();
        assert!(values.iter().all(|jitter| (0.0..=1.0).contains(jitter)));
        assert!(values.iter().any(|jitter| *jitter < 0.5) && values.iter().any(|jitter| *jitter > 0.5), "{values:?}");
    }
}
