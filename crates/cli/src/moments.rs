//! Moments and durations, as they are typed and as they are shown.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A moment: RFC 3339, a date (its first moment, UTC), or how long ago.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(date) = text.parse::<Date>() {
        return date
            .to_zoned_datetime(TimeZone::UTC)
            .map(|moment| moment.timestamp())
            .map_err(|error| error.to_string());
    }
    let wrong = || "a moment such as 2026-06-12T10:00:00Z, 2026-06-12 or 24h (ago)".to_owned();
    let ago = text.parse::<Span>().map_err(|_| wrong())?.abs();
    let moment = Timestamp::now().to_zoned_datetime(TimeZone::UTC).checked_sub(ago).map_err(|_| wrong())?;
    Ok(moment.timestamp())
}

/// A duration, such as 15m.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| "a duration such as 15m or 2h".to_owned())
}

/// Seconds since 1970 as RFC 3339.
pub(crate) fn seconds(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), |moment| moment.to_string())
}

/// Milliseconds since 1970 as RFC 3339, always with three decimals.
pub(crate) fn milliseconds(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |moment| format!("{moment:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_three_forms() {
        assert_eq!(parse("2026-06-12T10:00:00+02:00").unwrap().to_string(), "2026-06-12T08:00:00Z");
        assert_eq!(parse("2026-06-12").unwrap().to_string(), "2026-06-12T00:00:00Z");
        for ago in ["2h", "7d", "1 month", "2h ago"] {
            assert!(parse(ago).unwrap() < Timestamp::now(), "{ago}");
        }
        for wrong in ["", "yesterday", "2026-13-01", "99999999999999y"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn durations_are_not_negative() {
        assert_eq!(parse_duration("15m"), Ok(Duration::from_mins(15)));
        assert!(parse_duration("-15m").is_err() && parse_duration("soon").is_err());
    }

    #[test]
    fn moments_are_shown_alike() {
        assert_eq!(seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(milliseconds(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(milliseconds(2_000), "1970-01-01T00:00:02.000Z");
        assert_eq!(seconds(i64::MAX), i64::MAX.to_string());
    }
}
