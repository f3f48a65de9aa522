//! Long polling with `Prefer: wait=SECONDS` (RFC 7240).

use std::time::Duration;

use http::{HeaderMap, HeaderName};

const PREFER_HEADER: &str = "prefer";
const PREFERENCE_APPLIED_HEADER: HeaderName = HeaderName::from_static("preference-applied");

/// Many proxies close an idle connection after about one minute.
const MAX_LONG_POLL_SECONDS: u64 = 30;

/// Duration of a long poll, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongPollTimeout(u64);

impl LongPollTimeout {
    /// Returns the wait time from the `Prefer` header, limited to `MAX_LONG_POLL_SECONDS` and to half of the request timeout.
    ///
    /// Invalid preferences in the `Prefer` header are ignored, as RFC 7240 requires.
    #[must_use]
    pub fn parse_prefer_header(headers: &HeaderMap, request_timeout: Duration) -> Option<Self> {
        let values = headers.get_all(PREFER_HEADER).iter().filter_map(|value| value.to_str().ok());
        let seconds = values.flat_map(|value| value.split(',')).find_map(parse_wait_preference)?;
        let seconds = seconds.parse().unwrap_or(0).min(MAX_LONG_POLL_SECONDS).min(request_timeout.as_secs() / 2);
        (seconds > 0).then_some(Self(seconds))
    }

    /// Returns the maximum duration of the long poll.
    #[must_use]
    pub fn timeout(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Returns the `Preference-Applied` response header, which confirms the wait time to the client.
    #[must_use]
    pub fn build_preference_applied_header(self) -> [(HeaderName, String); 1] {
        [(PREFERENCE_APPLIED_HEADER, format!("wait={}", self.0))]
    }
}

/// Returns `true` if the request has a `Prefer` header, and therefore may be a long poll.
#[must_use]
pub fn has_prefer_header(headers: &HeaderMap) -> bool {
    headers.contains_key(PREFER_HEADER)
}

fn parse_wait_preference(preference: &str) -> Option<&str> {
    let (preference, _parameters) = preference.split_once(';').unwrap_or((preference, ""));
    let (name, value) = preference.split_once('=')?;
    name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_parsed_as_the_rfc_defines_and_limited() {
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
            let headers = HeaderMap::from_iter([(PREFER_HEADER.parse().unwrap(), header.parse().unwrap())]);
            let wait = LongPollTimeout::parse_prefer_header(&headers, Duration::from_mins(1));
            assert_eq!(wait, expected.map(LongPollTimeout), "{header}");
        }
        assert_eq!(LongPollTimeout::parse_prefer_header(&HeaderMap::new(), Duration::from_mins(1)), None);
    }

    #[test]
    fn wait_is_at_most_half_the_request_timeout() {
        let headers = HeaderMap::from_iter([(PREFER_HEADER.parse().unwrap(), "wait=20".parse().unwrap())]);
        for (request_timeout, expected) in [(60, Some(20)), (10, Some(5)), (1, None)] {
            let wait = LongPollTimeout::parse_prefer_header(&headers, Duration::from_secs(request_timeout));
            assert_eq!(wait, expected.map(LongPollTimeout), "{request_timeout}");
        }
    }
}
