//! Parses timestamps and durations, and formats timestamps.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// Accepts an RFC 3339 timestamp, a date (midnight UTC) or a duration before now, such as `24h`.
pub(crate) fn parse_timestamp(text: &str) -> Result<Timestamp, String> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    if let Ok(date) = text.parse::<Date>() {
        return date
            .to_zoned_datetime(TimeZone::UTC)
            .map(|midnight| midnight.timestamp())
            .map_err(|error| error.to_string());
    }
    let invalid = || "expected a time such as 2026-06-12T10:00:00Z, 2026-06-12 or 24h (ago)".to_owned();
    let age = text.parse::<Span>().map_err(|_| invalid())?.abs();
    let start = Timestamp::now().to_zoned_datetime(TimeZone::UTC).checked_sub(age).map_err(|_| invalid())?;
    Ok(start.timestamp())
}

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| "expected a duration such as 15m or 2h".to_owned())
}

pub(crate) fn format_unix_seconds(at: i64) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), |timestamp| timestamp.to_string())
}

pub(crate) fn format_unix_millis(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |timestamp| format!("{timestamp:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_dates_and_ages_are_parsed() {
        assert_eq!(parse_timestamp("2026-06-12T10:00:00+02:00").unwrap().to_string(), "2026-06-12T08:00:00Z");
        assert_eq!(parse_timestamp("2026-06-12").unwrap().to_string(), "2026-06-12T00:00:00Z");
        for age in ["2h", "7d", "1 month", "2h ago"] {
            assert!(parse_timestamp(age).unwrap() < Timestamp::now(), "{age}");
        }
        for invalid in ["", "yesterday", "2026-13-01", "99999999999999y"] {
            assert!(parse_timestamp(invalid).is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn negative_duration_is_rejected() {
        assert_eq!(parse_duration("15m"), Ok(Duration::from_mins(15)));
        assert!(parse_duration("-15m").is_err() && parse_duration("soon").is_err());
    }

    #[test]
    fn unix_times_are_formatted_as_rfc_3339() {
        assert_eq!(format_unix_seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(format_unix_millis(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(format_unix_millis(2_000), "1970-01-01T00:00:02.000Z");
        assert_eq!(format_unix_seconds(i64::MAX), i64::MAX.to_string());
    }
}
