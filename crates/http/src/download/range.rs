//! Parser for the `Range` header (RFC 9110, section 14).

use std::ops::Range;

use http::HeaderValue;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RangeRequest {
    Full,
    Partial(Range<u64>),
    Unsatisfiable,
}

/// For invalid values and multiple ranges, returns `Full`, because RFC 9110 permits servers to ignore the `Range` header.
pub(super) fn parse_range_header(header: &HeaderValue, length: u64) -> RangeRequest {
    let Some(spec) = header.to_str().ok().and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return RangeRequest::Full;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return RangeRequest::Full };
    let is_valid = |bound: &str| bound.bytes().all(|byte| byte.is_ascii_digit());
    if !is_valid(first) || !is_valid(last) {
        return RangeRequest::Full;
    }
    let range = match (parse_range_bound(first), parse_range_bound(last)) {
        (None, Some(0)) => return RangeRequest::Unsatisfiable,
        (None, Some(suffix)) => (length.saturating_sub(suffix), u64::MAX),
        (Some(first), None) => (first, u64::MAX),
        (Some(first), Some(last)) if first <= last => (first, last),
        _ => return RangeRequest::Full,
    };
    let (first, last) = (range.0, range.1.min(length.saturating_sub(1)));
    if first < length { RangeRequest::Partial(first..last + 1) } else { RangeRequest::Unsatisfiable }
}

/// Returns `None` if `digits` is empty, and [`u64::MAX`] if the number is too large.
fn parse_range_bound(digits: &str) -> Option<u64> {
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parsed_as_the_rfc_defines() {
        let part = |first: u64, last: u64| RangeRequest::Partial(first..last + 1);
        for (header, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-", part(0, 9)),
            ("bytes=3-5", part(3, 5)),
            ("bytes=3-99", part(3, 9)),
            ("bytes=9-", part(9, 9)),
            ("bytes=10-", RangeRequest::Unsatisfiable),
            ("bytes=10-20", RangeRequest::Unsatisfiable),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=-0", RangeRequest::Unsatisfiable),
            ("bytes=5-3", RangeRequest::Full),
            ("bytes=0-1,3-4", RangeRequest::Full),
            ("bytes=a-b", RangeRequest::Full),
            ("bytes=+1-2", RangeRequest::Full),
            ("bytes=-", RangeRequest::Full),
            ("items=0-1", RangeRequest::Full),
            ("bytes=99999999999999999999999-", RangeRequest::Unsatisfiable),
            ("bytes=0-99999999999999999999999", part(0, 9)),
        ] {
            assert_eq!(parse_range_header(&HeaderValue::from_static(header), 10), expected, "{header}");
        }
        assert_eq!(parse_range_header(&HeaderValue::from_static("bytes=0-"), 0), RangeRequest::Unsatisfiable);
    }
}
