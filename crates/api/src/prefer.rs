//! `Prefer: wait=SECONDS` (RFC 7240): who asks for something that is not there yet would rather wait for it than ask again.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

const PREFER: &str = "prefer";
/// Tells which preferences were followed.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Nobody is kept waiting longer than this, in seconds: proxies give a connection up on which nothing comes for a minute.
const LONGEST_WAIT: u64 = 30;

/// How long the answer may take, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(u64);

impl Wait {
    /// What a request prefers, within what is allowed and within half of what an answer may take. A preference that cannot be read is
    /// none, as the RFC has it.
    pub(crate) fn preferred(headers: &HeaderMap, answer: Duration) -> Option<Self> {
        let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        let seconds = values.flat_map(|value| value.split(',')).find_map(wait)?;
        let seconds = seconds.parse().unwrap_or(0).min(LONGEST_WAIT).min(answer.as_secs() / 2);
        (seconds > 0).then_some(Self(seconds))
    }

    pub(crate) fn limit(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Says in an answer that it was followed.
    pub(crate) fn applied(self) -> [(HeaderName, String); 1] {
        [(PREFERENCE_APPLIED, format!("wait={}", self.0))]
    }
}

/// Whether a request has any preference at all.
pub(crate) fn may_wait(headers: &HeaderMap) -> bool {
    headers.contains_key(PREFER)
}

/// The value of the preference, if it is this one. The first counts.
fn wait(preference: &str) -> Option<&str> {
    let (preference, _parameters) = preference.split_once(';').unwrap_or((preference, ""));
    let (name, value) = preference.split_once('=')?;
    name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_as_the_rfc_says_and_kept_within_limits() {
        for (header, expected) in [
            ("wait=10", Some(10)),
            ("WAIT = \"7\"", Some(7)),
            ("respond-async, wait=5; why=slow", Some(5)),
            ("wait=3, wait=9", Some(3)),
            ("wait=31", Some(30)),
            ("wait=0", None),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("wait=99999999999999999999999", None),
            ("wait", None),
            ("waiting=10", None),
            ("handling=lenient", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(PREFER.parse().unwrap(), header.parse().unwrap())]);
            let wait = Wait::preferred(&headers, Duration::from_mins(1));
            assert_eq!(wait, expected.map(Wait), "{header}");
        }
        assert_eq!(Wait::preferred(&HeaderMap::new(), Duration::from_mins(1)), None);
    }

    #[test]
    fn an_answer_never_takes_too_long_for_a_wait() {
        let headers = HeaderMap::from_iter([(PREFER.parse().unwrap(), "wait=20".parse().unwrap())]);
        for (answer, expected) in [(60, Some(20)), (10, Some(5)), (1, None)] {
            let wait = Wait::preferred(&headers, Duration::from_secs(answer));
            assert_eq!(wait, expected.map(Wait), "{answer}");
        }
    }
}
