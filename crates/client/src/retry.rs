//! When a request is sent again, and how long to wait before.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::error::ClientError;
use crate::settings::Settings;

/// What a second sending of the same request would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeatable {
    /// No harm: it only reads.
    Always,
    /// A second effect, if the first one was executed.
    UnlessExecuted,
}

/// Whether the request may be sent again after this error.
pub(crate) fn may_repeat(error: &ClientError, repeatable: Repeatable) -> bool {
    match error {
        // Turned away at the door, or never arrived: surely not executed.
        ClientError::Connect { .. } | ClientError::Api { status: 429 | 503, .. } => true,
        ClientError::Api { status: 500..=599, .. }
        | ClientError::Timeout { .. }
        | ClientError::ConnectionLost { .. } => repeatable == Repeatable::Always,
        _ => false,
    }
}

/// How long to wait after failed attempt number `attempt` (from 1); nothing if the server asks for more than is bearable.
///
/// `chance` is from 0 to 1: it takes off up to half of the pause, so that clients which failed together do not come back
/// together.
pub(crate) fn pause(settings: &Settings, attempt: u32, error: &ClientError, chance: f64) -> Option<Duration> {
    if let ClientError::Api { retry_after: Some(asked), .. } = error {
        return Some(*asked).filter(|asked| *asked <= settings.longest_pause);
    }
    let doubled = settings.first_pause.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    Some(doubled.min(settings.longest_pause).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0))
}

/// A number from 0 to 1. The hasher's keys are random for each one made, which is chance enough for a pause.
pub(crate) fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let top: u32 = u32::try_from(random >> 32).unwrap_or(u32::MAX);
    f64::from(top) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(status: u16, retry_after: Option<u64>) -> ClientError {
        ClientError::Api {
            doing: "testing",
            status,
            error_code: "X".into(),
            error_msg: "x".into(),
            request_id: None,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn timeout() -> ClientError {
        ClientError::Timeout { doing: "testing", endpoint: "x".into(), limit: Duration::ZERO }
    }

    #[test]
    fn reads_are_repeated_after_whatever_may_pass() {
        for (status, repeated) in
            [(400, false), (401, false), (404, false), (409, false), (429, true), (500, true), (599, true)]
        {
            assert_eq!(may_repeat(&api(status, None), Repeatable::Always), repeated, "{status}");
        }
        assert!(may_repeat(&timeout(), Repeatable::Always));
    }

    #[test]
    fn a_collection_is_repeated_only_if_it_was_surely_not_started() {
        for (status, repeated) in [(400, false), (429, true), (500, false), (502, false), (503, true), (504, false)] {
            assert_eq!(may_repeat(&api(status, None), Repeatable::UnlessExecuted), repeated, "{status}");
        }
        assert!(!may_repeat(&timeout(), Repeatable::UnlessExecuted));
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_chance_takes_off_half_at_most() {
        let settings = Settings {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(10),
            ..Settings::default()
        };
        let error = api(503, None);
        let whole: Vec<u64> =
            (1..=6).filter_map(|at| pause(&settings, at, &error, 0.0)).map(|one| one.as_secs()).collect();
        assert_eq!(whole, [1, 2, 4, 8, 10, 10]);
        assert_eq!(pause(&settings, 3, &error, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(pause(&settings, u32::MAX, &error, 0.0), Some(Duration::from_secs(10)));
    }

    #[test]
    fn the_server_is_obeyed_unless_it_asks_too_much() {
        let settings = Settings { longest_pause: Duration::from_secs(10), ..Settings::default() };
        assert_eq!(pause(&settings, 1, &api(429, Some(7)), 0.5), Some(Duration::from_secs(7)));
        assert_eq!(pause(&settings, 4, &api(503, Some(0)), 0.5), Some(Duration::ZERO));
        assert_eq!(pause(&settings, 1, &api(429, Some(11)), 0.5), None);
    }

    #[test]
    fn chances_differ_and_stay_in_range() {
        let chances: Vec<f64> = (0..100).map(|_| chance()).collect();
        assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
        assert!(
            chances.iter().any(|chance| *chance < 0.5) && chances.iter().any(|chance| *chance > 0.5),
            "{chances:?}"
        );
    }
}
