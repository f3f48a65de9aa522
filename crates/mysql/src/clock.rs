//! Reads a server's clock in local time and in UTC, and detects clock steps (sudden clock changes).
//!
//! InnoDB reports transaction start times in the server's local time.
//! An SQL query converts a transaction's start time to UTC if the server's UTC offset may have changed since the start.
//! When daylight saving time ends, some local times occur twice and correspond to two UTC times.
//!
//! A clock step distorts every duration that the server computes from its wall clock.
//! [`NodeClockHistory`] detects clock steps by comparing the server's clock with the local monotonic clock.
//! After a clock step, [`NodeClockHistory`] corrects the ages of sessions and transactions started before the step.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::client::{Client, Error};
use clew_model::Session;
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::server_instance::ServerInstance;
use crate::sql_statements;

/// Smallest clock change, in seconds, that counts as a clock step. Drift and network latency cause smaller changes.
const MIN_CLOCK_STEP_SECONDS: f64 = 2.0;
/// Maximum tolerated difference between a server's clock and the local clock, in seconds.
/// If a server's clock is wrong, automatic kills count elapsed time only from Clew's first read of the process list.
const MAX_CLOCK_DIFFERENCE_SECONDS: f64 = 60.0;
const MAX_TRACKED_CLOCK_STEPS: usize = 16;
const MAX_TRACKED_SERVERS_PER_NODE: usize = 16;
/// The database server converts a local time to UTC if the time is at least this many seconds old.
/// [`sql_statements::SERVER_CLOCK_QUERY`] detects changes to the server's UTC offset within the last 21 hours.
const MIN_AGE_FOR_UTC_CONVERSION_SECONDS: i64 = 86_400 - 3 * 3600;
const MAX_UTC_CONVERSIONS_PER_STATEMENT: usize = 200;

/// Reading of a server's clock.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    local: DateTime,
    /// Unix timestamp in seconds.
    pub(crate) utc: f64,
    /// True if the server's UTC offset at the clock reading equals its UTC offset one day earlier.
    uniform: bool,
    /// Local monotonic time halfway between sending the clock query and receiving the response.
    at: Instant,
    /// Half of the clock query's round-trip time, in seconds.
    uncertainty: f64,
}

impl ClockReading {
    /// Returns the server time minus the local time, in seconds.
    /// Returns `None` if the clocks differ by at most [`MAX_CLOCK_DIFFERENCE_SECONDS`].
    fn detect_difference_from_local_clock(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double")]
        let now = Timestamp::now().as_millisecond() as f64 / 1e3;
        let difference = self.utc + self.at.elapsed().as_secs_f64() - now;
        (difference.abs() > MAX_CLOCK_DIFFERENCE_SECONDS).then_some(difference)
    }
}

/// Result row of `SERVER_CLOCK_QUERY`: local time, Unix timestamp and UTC offset flag.
/// The UTC offset flag is 1 if the server's UTC offset equals its offset 24 hours ago.
type ClockRow = (String, u64, Option<i64>);

/// Returns `None` if the server does not report a valid time.
pub(crate) async fn read_clock(client: &mut Client) -> Result<Option<ClockReading>, Error> {
    let before = Instant::now();
    let rows: Vec<ClockRow> = client.query_all_rows(sql_statements::SERVER_CLOCK_QUERY).await?;
    let half = before.elapsed() / 2;
    Ok(rows.into_iter().next().and_then(|(local, utc, uniform)| {
        let local = parse_local_time(&local)?;
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double")]
        let utc = utc as f64 + f64::from(local.subsec_nanosecond()) / 1e9;
        let uniform = uniform == Some(1);
        Some(ClockReading { local, utc, uniform, at: before + half, uncertainty: half.as_secs_f64() })
    }))
}

/// Parses MySQL's `DATETIME` format, such as `2026-11-24 18:00:00`.
pub(crate) fn parse_local_time(printed: &str) -> Option<DateTime> {
    printed.parse().ok()
}

/// Age, in seconds, of a timestamp in the server's local time. Negative if the timestamp is in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampAge {
    Exact(i64),
    /// Two possible ages, smaller first, of a local time that occurred twice at the end of daylight saving time.
    Ambiguous(i64, i64),
}

/// Computes the age of each timestamp in `times`. The timestamps are in the server's local time.
/// If the server's UTC offset may have changed since a timestamp, the server converts the timestamp to UTC.
pub(crate) async fn compute_timestamp_ages(
    client: &mut Client,
    clock: &ClockReading,
    times: Vec<DateTime>,
) -> Result<HashMap<DateTime, TimestampAge>, Error> {
    let mut ages = HashMap::new();
    let mut to_convert = Vec::new();
    for time in times {
        let local = clock.local.duration_since(time).as_secs();
        if ages.insert(time, TimestampAge::Exact(local)).is_none()
            && (!clock.uniform || local >= MIN_AGE_FOR_UTC_CONVERSION_SECONDS)
        {
            to_convert.push(time);
        }
    }
    for times in to_convert.chunks(MAX_UTC_CONVERSIONS_PER_STATEMENT) {
        let converted: Vec<String> = client.query_all_rows(&sql_statements::build_utc_conversion_query(times)).await?;
        let printed = converted.first().map(String::as_str).unwrap_or_default();
        for (time, conversion) in times.iter().zip(printed.split(';')) {
            if let Some(age) = parse_timestamp_age(clock.utc, conversion) {
                ages.insert(*time, age);
            }
        }
    }
    Ok(ages)
}

/// Computes the age of a time from the text `seconds,before,after` (a Unix timestamp in seconds and two flags).
/// `before` is 1 if the same local time also occurred one hour earlier, before daylight saving time ended; otherwise 0.
/// The flag `after` is 1 if the end of daylight saving time repeats the local time one hour later, and 0 otherwise.
fn parse_timestamp_age(now: f64, conversion: &str) -> Option<TimestampAge> {
    let mut parts = conversion.split(',');
    let utc: f64 = parts.next()?.parse().ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "the difference of two times in seconds")]
    let age = |utc: f64| (now - utc).floor() as i64;
    let mut possible = vec![age(utc)];
    for shift in [-3600.0, 3600.0] {
        if parts.next()? == "1" {
            possible.push(age(utc + shift));
        }
    }
    possible.sort_unstable();
    let past: Vec<i64> = possible.iter().copied().filter(|age| *age >= 0).collect();
    match (past.as_slice(), possible.first()) {
        ([later, earlier, ..], _) => Some(TimestampAge::Ambiguous(*later, *earlier)),
        ([only], _) | ([], Some(only)) => Some(TimestampAge::Exact(*only)),
        ([], None) => None,
    }
}

/// Reason why automatic kills must not rely on the elapsed times of sessions.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum UnreliableClockReason {
    /// Number of seconds by which the server's clock was set forward; negative if the clock was set back.
    #[error("the server's clock was changed by {0:+.0} s since the previous read")]
    ClockChanged(f64),
    /// Server time minus local time, in seconds, at Clew's first reading of the server's clock.
    /// The value is positive if the server's clock was ahead of the local clock.
    #[error(
        "the server's clock differs from the clock of this machine by {0:+.0} s, so elapsed times count from now on"
    )]
    DiffersFromLocalClock(f64),
    /// The server at the node's address is not the server that responded to the previous read operation.
    #[error("the address leads to a different server than at the previous read")]
    AnotherServer,
    /// The server returned no time.
    #[error("the server did not return its current time")]
    Unreadable,
}

/// Clock readings of all servers behind a node's address. Clew keeps the readings between read operations.
/// A load balancer can route connections for one address to several servers with different clocks.
/// Clock readings remain valid after a server restart, because a restart does not change the clock of the machine.
#[derive(Debug, Clone, Default)]
pub struct NodeClockHistory {
    /// If true, Clew compares each server's clock with the local clock when Clew first reads from that server.
    requires_correct_clock: bool,
    /// Server identities and their clock histories. The last element belongs to the most recently read server.
    servers: VecDeque<(String, ServerClockHistory)>,
}

#[derive(Debug, Clone, Default)]
struct ServerClockHistory {
    last: Option<ClockReading>,
    bounds: Option<ElapsedTimeBounds>,
    /// Detected clock steps, oldest first.
    steps: VecDeque<ClockStep>,
}

/// Maximum elapsed time of each session in a process list.
#[derive(Debug, Clone)]
pub(crate) struct ElapsedTimeBounds {
    at: Instant,
    /// Client address of each session and upper bound on its elapsed time, keyed by session id.
    sessions: HashMap<u64, (Vec<u8>, Duration)>,
}

/// Tolerance added to the upper bound of each elapsed time, to cover rounding and the duration of reads.
const ELAPSED_TIME_TOLERANCE: Duration = Duration::from_secs(2);

impl ElapsedTimeBounds {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, sessions: HashMap::new() }
    }

    /// Between two process lists, the elapsed time of a session can grow only by the time between the lists.
    /// If a session is missing from the previous process list, the session was opened after Clew read that process list.
    pub(crate) fn cap_elapsed_time(&mut self, session: &mut Session, previous: Option<&Self>) {
        let mut bound = Duration::from_secs(session.seconds);
        if let Some(previous) = previous {
            let earlier = previous.sessions.get(&session.id).filter(|(host, _)| *host == session.host);
            let passed = self.at.saturating_duration_since(previous.at);
            let max = earlier.map_or(Duration::ZERO, |(_, bound)| *bound) + passed;
            session.seconds = session.seconds.min((max + ELAPSED_TIME_TOLERANCE).as_secs());
            // The stored bound excludes the tolerance, which would otherwise add up over several reads.
            bound = bound.min(max);
        }
        self.sessions.insert(session.id, (session.host.clone(), bound));
    }
}

#[derive(Debug, Clone, Copy)]
struct ClockStep {
    /// Change of the server's clock, in seconds: positive if the clock was set forward, negative if it was set back.
    seconds: f64,
    /// Local monotonic time at which Clew last read the server's clock before the clock was changed.
    before: Instant,
}

impl NodeClockHistory {
    /// Clock history for automatic kills.
    ///
    /// On the first read from a server, Clew compares the server's clock with the local clock to detect earlier changes.
    /// If the server's clock differs from the local clock by more than a minute, elapsed times start at the first read.
    #[must_use]
    pub fn new_with_local_clock_check() -> Self {
        Self { requires_correct_clock: true, ..Self::default() }
    }

    /// Selects the clock history of `server`. Returns true if a different server was selected before.
    pub(crate) fn select_server_clock_history(&mut self, server: &ServerInstance) -> bool {
        let identity = &server.identity;
        let is_another = self.servers.back().is_some_and(|(last, _)| last != identity);
        let index = self.servers.iter().position(|(stored, _)| stored == identity);
        let readings = index.and_then(|at| self.servers.remove(at)).map(|(_, readings)| readings).unwrap_or_default();
        if self.servers.len() == MAX_TRACKED_SERVERS_PER_NODE {
            self.servers.pop_front();
        }
        self.servers.push_back((identity.clone(), readings));
        is_another
    }

    /// Records a clock reading. Returns the clock step since the last reading in seconds, or `None` without a step.
    pub(crate) fn record_clock_reading(&mut self, reading: ClockReading) -> Option<f64> {
        self.servers.back_mut()?.1.record_clock_reading(reading)
    }

    /// Returns the maximum elapsed times derived from the selected server's previous process list.
    pub(crate) fn elapsed_time_bounds(&self) -> Option<&ElapsedTimeBounds> {
        self.servers.back()?.1.bounds.as_ref()
    }

    /// For the first read from a server, returns any difference from the local clock above [`MAX_CLOCK_DIFFERENCE_SECONDS`].
    /// Returns `None` for later reads, or if `requires_correct_clock` is false.
    pub(crate) fn detect_initial_clock_difference(&self, reading: &ClockReading) -> Option<f64> {
        let is_first_read = self.elapsed_time_bounds().is_none();
        reading.detect_difference_from_local_clock().filter(|_| self.requires_correct_clock && is_first_read)
    }

    pub(crate) fn record_elapsed_time_bounds(&mut self, bounds: ElapsedTimeBounds) {
        if let Some((_, readings)) = self.servers.back_mut() {
            readings.bounds = Some(bounds);
        }
    }

    /// Adjusts an elapsed time, in seconds, if the server's clock was set forward or back.
    /// `reported` may be negative.
    #[must_use]
    pub fn adjust_age_for_clock_steps(&self, reported: i64) -> i64 {
        self.servers.back().map_or(reported, |(_, readings)| readings.adjust_age_for_clock_steps(reported))
    }

    /// Applies [`Self::adjust_age_for_clock_steps`] to `reported`. Returns 0 if the result is negative or implausibly large.
    pub(crate) fn adjusted_age_or_zero(&self, reported: u64) -> u64 {
        let reported = i64::try_from(reported).unwrap_or(i64::MAX);
        Session::sanitize_duration_seconds(self.adjust_age_for_clock_steps(reported).into())
    }

    /// Returns true if Clew has detected that the selected server's clock was set forward or back.
    #[must_use]
    pub fn has_clock_steps(&self) -> bool {
        self.servers.back().is_some_and(|(_, readings)| !readings.steps.is_empty())
    }
}

impl ServerClockHistory {
    fn record_clock_reading(&mut self, reading: ClockReading) -> Option<f64> {
        let last = self.last.replace(reading)?;
        let passed = reading.at.saturating_duration_since(last.at).as_secs_f64();
        let step = reading.utc - last.utc - passed;
        if step.abs() <= MIN_CLOCK_STEP_SECONDS + reading.uncertainty + last.uncertainty {
            return None;
        }
        if self.steps.len() == MAX_TRACKED_CLOCK_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(ClockStep { seconds: step, before: last.at });
        Some(step)
    }

    fn adjust_age_for_clock_steps(&self, reported: i64) -> i64 {
        let Some(now) = self.last else { return reported };
        #[allow(clippy::cast_precision_loss, reason = "ages in seconds")]
        let mut age = reported as f64;
        for step in self.steps.iter().rev() {
            let since_step = now.at.saturating_duration_since(step.before).as_secs_f64();
            // An age below the time since the step needs no correction for this step or previous steps.
            if age >= 0.0 && age <= since_step {
                break;
            }
            age -= step.seconds;
        }
        #[allow(clippy::cast_possible_truncation, reason = "ages in seconds")]
        let corrected = age.floor() as i64;
        corrected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_is_limited_by_the_previous_process_list() {
        let start = Instant::now();
        let limited = |id, host: &str, reported, at: u64, previous: Option<&ElapsedTimeBounds>| {
            let mut session = Session { id, host: host.into(), seconds: reported, ..Session::default() };
            let mut bounds = ElapsedTimeBounds::new(start + Duration::from_secs(at));
            bounds.cap_elapsed_time(&mut session, previous);
            (session.seconds, bounds)
        };
        let (seconds, mut bounds) = limited(1, "10.0.0.7:51234", 5, 0, None);
        assert_eq!(seconds, 5);
        assert_eq!(limited(2, "10.0.0.7:51234", 14_410, 10, Some(&bounds)).0, 12, "opened later");
        assert_eq!(limited(1, "10.0.0.8:51234", 14_410, 10, Some(&bounds)).0, 12, "reused id");
        assert_eq!(limited(1, "10.0.0.7:51234", 3, 10, Some(&bounds)).0, 3, "next statement");
        for at in 1..=100 {
            let (seconds, next) = limited(1, "10.0.0.7:51234", 14_405 + at, at, Some(&bounds));
            assert_eq!(seconds, 5 + at + 2, "the tolerance does not add up");
            bounds = next;
        }
    }

    fn reading(start: Instant, monotonic: f64, utc: f64) -> ClockReading {
        let local = parse_local_time("2026-11-30 12:00:00.000000").unwrap();
        let at = start + Duration::from_secs_f64(monotonic);
        ClockReading { local, utc, uniform: true, at, uncertainty: 0.0 }
    }

    #[test]
    fn ages_from_before_a_step_are_corrected() {
        for (step, reported, expected) in [
            (3600.0, 3606, 6),
            (3600.0, 3600 + 7200, 7200),
            (3600.0, 1, 1),
            (3600.0, 0, 0),
            (-3600.0, -3594, 6),
            (-3600.0, 1, 1),
            (-3600.0, 7200 - 3600, 7200),
        ] {
            let start = Instant::now();
            let mut history = ServerClockHistory::default();
            assert_eq!(history.record_clock_reading(reading(start, 0.0, 1_000_000.0)), None);
            assert_eq!(
                history.record_clock_reading(reading(start, 1.0, 1_000_001.5)),
                None,
                "an adjustment is no step"
            );
            assert_eq!(history.adjust_age_for_clock_steps(7200), 7200);
            let stepped = history.record_clock_reading(reading(start, 2.0, 1_000_002.5 + step)).unwrap();
            assert!((stepped - step).abs() < 0.001, "{stepped}");
            assert_eq!(history.adjust_age_for_clock_steps(reported), expected, "{step} {reported}");
            assert_eq!(history.record_clock_reading(reading(start, 3.0, 1_000_003.5 + step)), None, "the step is over");
        }
    }

    #[test]
    fn two_steps_add_up() {
        let start = Instant::now();
        let mut history = ServerClockHistory::default();
        history.record_clock_reading(reading(start, 0.0, 0.0));
        history.record_clock_reading(reading(start, 1.0, 3601.0));
        history.record_clock_reading(reading(start, 100.0, 3700.0));
        history.record_clock_reading(reading(start, 101.0, 3701.0 + 7200.0));
        assert_eq!(history.adjust_age_for_clock_steps(10_800 + 101 + 50), 151, "begun before both");
        assert_eq!(history.adjust_age_for_clock_steps(7200 + 50), 50, "begun between them");
        assert_eq!(history.adjust_age_for_clock_steps(0), 0);
    }

    #[test]
    fn each_server_behind_an_address_has_readings_of_its_own() {
        let start = Instant::now();
        let [first, restarted, second]: [ServerInstance; 3] =
            ["first@1", "first@2", "second@1"].map(|server| server.parse().unwrap());
        let mut history = NodeClockHistory::default();
        assert!(!history.select_server_clock_history(&first));
        history.record_clock_reading(reading(start, 0.0, 1000.0));
        assert_eq!(history.record_clock_reading(reading(start, 1.0, 4601.0)), Some(3600.0));
        assert!(history.select_server_clock_history(&second));
        assert_eq!(
            history.record_clock_reading(reading(start, 2.0, 50.0)),
            None,
            "the clocks of two servers are not compared"
        );
        assert_eq!((history.has_clock_steps(), history.adjust_age_for_clock_steps(3700)), (false, 3700));
        // A restart does not change the clock.
        assert!(history.select_server_clock_history(&restarted));
        assert_eq!(history.record_clock_reading(reading(start, 3.0, 4603.0)), None);
        assert_eq!(history.adjust_age_for_clock_steps(3610), 10, "begun before the step");
        assert!(!history.select_server_clock_history(&restarted));
        assert_eq!(history.record_clock_reading(reading(start, 4.0, 4704.0)), Some(100.0));
    }

    #[test]
    fn repeated_local_times_have_two_ages() {
        for (conversion, expected) in [
            ("1000.000000,0,0", Some(TimestampAge::Exact(9000))),
            ("1000,0,1", Some(TimestampAge::Ambiguous(5400, 9000))),
            ("4600,1,0", Some(TimestampAge::Ambiguous(5400, 9000))),
            ("9000,0,1", Some(TimestampAge::Exact(1000))),
            ("10001,0,0", Some(TimestampAge::Exact(-1))),
            ("x,0,0", None),
            ("1000", None),
        ] {
            assert_eq!(parse_timestamp_age(10_000.0, conversion), expected, "{conversion}");
        }
    }
}
