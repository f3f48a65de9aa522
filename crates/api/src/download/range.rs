//! `Range: bytes=…` (RFC 9110, section 14).

use http::HeaderValue;

/// A range of bytes, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl ByteRange {
    pub(super) fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it.
    Whole,
    /// A part of it.
    Part(ByteRange),
    /// A part that is not there.
    Nothing,
}

/// What is asked of `length` bytes. Several ranges, and what is no range, mean the whole, as the RFC allows.
pub(super) fn parse(header: &HeaderValue, length: u64) -> Asked {
    let Some(spec) = header.to_str().ok().and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    let range = match (number(first), number(last)) {
        _ if spec.contains(',') => return Asked::Whole,
        (Number::Absent, Number::Some(0)) => return Asked::Nothing,
        (Number::Absent, Number::Some(suffix)) => (length.saturating_sub(suffix), u64::MAX),
        (Number::Some(first), Number::Absent) => (first, u64::MAX),
        (Number::Some(first), Number::Some(last)) if first <= last => (first, last),
        _ => return Asked::Whole,
    };
    let (first, last) = (range.0, range.1.min(length.saturating_sub(1)));
    if first < length { Asked::Part(ByteRange { first, last }) } else { Asked::Nothing }
}

enum Number {
    Absent,
    Some(u64),
    Wrong,
}

/// Digits only. What is larger than any file is as good as the largest number.
fn number(text: &str) -> Number {
    match text {
        "" => Number::Absent,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Number::Some(digits.parse().unwrap_or(u64::MAX)),
        _ => Number::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let part = |first, last| Asked::Part(ByteRange { first, last });
        for (header, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-", part(0, 9)),
            ("bytes=3-5", part(3, 5)),
            ("bytes=3-99", part(3, 9)),
            ("bytes=9-", part(9, 9)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-20", Asked::Nothing),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-3", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("items=0-1", Asked::Whole),
            ("bytes=99999999999999999999999-", Asked::Nothing),
            ("bytes=0-99999999999999999999999", part(0, 9)),
        ] {
            assert_eq!(parse(&HeaderValue::from_static(header), 10), expected, "{header}");
        }
        assert_eq!(parse(&HeaderValue::from_static("bytes=0-"), 0), Asked::Nothing);
    }
}
