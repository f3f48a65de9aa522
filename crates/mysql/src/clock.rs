//! The clock of a watched server: read in local time and UTC, and compared with the monotonic clock of this process.
//!
//! InnoDB prints local times. An age is the difference of two local times only where the server's offset from UTC was the same at both;
//! else the server converts each time to UTC. A local time that occurs twice, when daylight-saving time ends, has two conversions.
//!
//! A clock step moves every age that is computed from the wall clock. [`ClockHistory`] detects steps between two reads of a node and corrects
//! the ages of whatever began before one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Instant;

use crate::client::Error;
use clew_model::Session;
use jiff::civil::DateTime;

use crate::connection::Connection;
use crate::server_instance::ServerInstance;
use crate::statements;

/// Difference of two clocks that is a step, and not a slow adjustment or the time of a packet.
const STEP_SECONDS: f64 = 2.0;
/// Steps that are remembered for a server.
const MAX_STEPS: usize = 16;
/// Servers that are remembered for a node.
const MAX_SERVERS: usize = 16;
/// Age from which a time is always converted to UTC: [`statements::CLOCK`] covers one day.
const COVERED: i64 = 86_400 - 3 * 3600;
/// Times that one statement converts.
const CONVERSIONS_PER_STATEMENT: usize = 200;

/// The clock of a server at one moment.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    /// Local time of the server.
    local: DateTime,
    /// Seconds since 1970, UTC.
    utc: f64,
    /// Whether the offset from UTC was the same one day before.
    uniform: bool,
    /// When it was read, by the clock of this process; in the middle between question and response.
    at: Instant,
    /// Half of the time between question and response.
    uncertainty: f64,
}

impl ClockReading {
    /// Seconds since 1970, UTC, with a fraction.
    pub(crate) fn utc(&self) -> f64 {
        self.utc
    }
}

/// A row of [`statements::CLOCK`]: local time, seconds since 1970, whether the last day had 86,400 seconds.
type ClockRow = (String, u64, Option<i64>);

/// Reads the server's clock, and keeps the reading with the connection. Nothing where the server returns no time.
pub(crate) async fn read(connection: &mut Connection) -> Result<Option<ClockReading>, Error> {
    let before = Instant::now();
    let rows: Vec<ClockRow> = connection.ask(statements::CLOCK).await?;
    let half = before.elapsed() / 2;
    connection.clock = rows.into_iter().next().and_then(|(local, utc, uniform)| {
        let local = parse(&local)?;
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double")]
        let utc = utc as f64 + f64::from(local.subsec_nanosecond()) / 1e9;
        let uniform = uniform == Some(1);
        Some(ClockReading { local, utc, uniform, at: before + half, uncertainty: half.as_secs_f64() })
    });
    Ok(connection.clock)
}

/// A local time as a server prints it.
pub(crate) fn parse(printed: &str) -> Option<DateTime> {
    printed.parse().ok()
}

/// Age of a local time, in seconds; negative for a time in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalAge {
    /// The only possible age.
    Exact(i64),
    /// The local time occurred twice: the ages since the later and since the earlier occurrence.
    Ambiguous(i64, i64),
}

/// Ages of these local times by this reading of the clock. Another query is sent only where the server's offset from UTC may have changed since.
pub(crate) async fn ages(
    connection: &mut Connection,
    clock: &ClockReading,
    times: Vec<DateTime>,
) -> Result<HashMap<DateTime, LocalAge>, Error> {
    let mut ages = HashMap::new();
    let mut doubtful = Vec::new();
    for time in times {
        let local = clock.local.duration_since(time).as_secs();
        if ages.insert(time, LocalAge::Exact(local)).is_none() && (!clock.uniform || local >= COVERED) {
            doubtful.push(time);
        }
    }
    for times in doubtful.chunks(CONVERSIONS_PER_STATEMENT) {
        let converted: Vec<String> = connection.ask(&statements::to_utc(times)).await?;
        let printed = converted.first().map(String::as_str).unwrap_or_default();
        for (time, conversion) in times.iter().zip(printed.split(';')) {
            if let Some(age) = converted_age(clock.utc, conversion) {
                ages.insert(*time, age);
            }
        }
    }
    Ok(ages)
}

/// Age from one conversion: seconds since 1970, and whether an hour before and after has the same local time.
fn converted_age(now: f64, conversion: &str) -> Option<LocalAge> {
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
        ([later, earlier, ..], _) => Some(LocalAge::Ambiguous(*later, *earlier)),
        ([only], _) | ([], Some(only)) => Some(LocalAge::Exact(*only)),
        ([], None) => None,
    }
}

/// Why no automatic kill may rely on the ages of a read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClockDoubt {
    /// The clock was set forward by so many seconds since the previous read.
    Set(f64),
    /// The previous read reached another server.
    AnotherServer,
    /// The server returned no time.
    Unreadable,
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(seconds) => {
                write!(f, "the clock of the server was set by {seconds:+.0} s since the previous read")
            }
            Self::AnotherServer => f.write_str("the address leads to another server since the previous read"),
            Self::Unreadable => f.write_str("the server returns no time"),
        }
    }
}

/// Readings of the clocks of a node's servers that a process keeps between two reads of the node. An address may lead to several servers in turn; each
/// has a clock of its own, which a restart does not change.
#[derive(Debug, Clone, Default)]
pub struct ClockHistory {
    /// By identity; the server that was read last is the last one.
    servers: VecDeque<(String, Readings)>,
}

/// Readings of one clock.
#[derive(Debug, Clone, Default)]
struct Readings {
    last: Option<ClockReading>,
    /// Steps, the newest last.
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    /// Seconds by which the clock was set forward.
    seconds: f64,
    /// The last reading before the step.
    before: Instant,
}

impl ClockHistory {
    /// Continues with the readings of this server. Returns whether the last one was of another server.
    pub(crate) fn begin_for(&mut self, server: &ServerInstance) -> bool {
        let identity = server.identity();
        let is_another = self.servers.back().is_some_and(|(last, _)| last != identity);
        let known = self.servers.iter().position(|(known, _)| known == identity);
        let readings = known.and_then(|at| self.servers.remove(at)).map(|(_, readings)| readings).unwrap_or_default();
        if self.servers.len() == MAX_SERVERS {
            self.servers.pop_front();
        }
        self.servers.push_back((identity.to_owned(), readings));
        is_another
    }

    /// Records a reading. Returns the seconds by which the clock was set forward since the last one, if it was set.
    pub(crate) fn observe(&mut self, reading: ClockReading) -> Option<f64> {
        self.servers.back_mut()?.1.observe(reading)
    }

    /// The true age of something whose age the server computes from its wall clock, at the latest reading. `reported` may be negative.
    #[must_use]
    pub fn corrected(&self, reported: i64) -> i64 {
        self.servers.back().map_or(reported, |(_, readings)| readings.corrected(reported))
    }

    /// The same of whole seconds that are not negative.
    pub(crate) fn corrected_seconds(&self, reported: u64) -> u64 {
        let reported = i64::try_from(reported).unwrap_or(i64::MAX);
        Session::believable_seconds(self.corrected(reported).into())
    }

    /// Whether a step of this server's clock was ever detected.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        self.servers.back().is_some_and(|(_, readings)| !readings.steps.is_empty())
    }
}

impl Readings {
    fn observe(&mut self, reading: ClockReading) -> Option<f64> {
        let last = self.last.replace(reading)?;
        let passed = reading.at.saturating_duration_since(last.at).as_secs_f64();
        let step = reading.utc - last.utc - passed;
        if step.abs() <= STEP_SECONDS + reading.uncertainty + last.uncertainty {
            return None;
        }
        if self.steps.len() == MAX_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { seconds: step, before: last.at });
        Some(step)
    }

    fn corrected(&self, reported: i64) -> i64 {
        let Some(now) = self.last else { return reported };
        #[allow(clippy::cast_precision_loss, reason = "ages in seconds")]
        let mut age = reported as f64;
        for step in self.steps.iter().rev() {
            let since_step = now.at.saturating_duration_since(step.before).as_secs_f64();
            // An age that fits between the step and now needs no correction by it, nor by an earlier one.
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
    use std::time::Duration;

    use super::*;

    fn reading(start: Instant, monotonic: f64, utc: f64) -> ClockReading {
        let local = parse("2026-11-30 12:00:00.000000").unwrap();
        let at = start + Duration::from_secs_f64(monotonic);
        ClockReading { local, utc, uniform: true, at, uncertainty: 0.0 }
    }

    #[test]
    fn ages_of_what_began_before_a_step_are_corrected() {
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
            let mut history = Readings::default();
            assert_eq!(history.observe(reading(start, 0.0, 1_000_000.0)), None);
            assert_eq!(history.observe(reading(start, 1.0, 1_000_001.5)), None, "an adjustment is no step");
            assert_eq!(history.corrected(7200), 7200);
            let stepped = history.observe(reading(start, 2.0, 1_000_002.5 + step)).unwrap();
            assert!((stepped - step).abs() < 0.001, "{stepped}");
            assert_eq!(history.corrected(reported), expected, "{step} {reported}");
            assert_eq!(history.observe(reading(start, 3.0, 1_000_003.5 + step)), None, "the step is over");
        }
    }

    #[test]
    fn two_steps_add_up() {
        let start = Instant::now();
        let mut history = Readings::default();
        history.observe(reading(start, 0.0, 0.0));
        history.observe(reading(start, 1.0, 3601.0));
        history.observe(reading(start, 100.0, 3700.0));
        history.observe(reading(start, 101.0, 3701.0 + 7200.0));
        assert_eq!(history.corrected(10_800 + 101 + 50), 151, "begun before both");
        assert_eq!(history.corrected(7200 + 50), 50, "begun between them");
        assert_eq!(history.corrected(0), 0);
    }

    #[test]
    fn each_server_behind_an_address_has_readings_of_its_own() {
        let start = Instant::now();
        let [first, restarted, second]: [ServerInstance; 3] =
            ["first@1", "first@2", "second@1"].map(|server| server.parse().unwrap());
        let mut history = ClockHistory::default();
        assert!(!history.begin_for(&first));
        history.observe(reading(start, 0.0, 1000.0));
        assert_eq!(history.observe(reading(start, 1.0, 4601.0)), Some(3600.0));
        assert!(history.begin_for(&second));
        assert_eq!(history.observe(reading(start, 2.0, 50.0)), None, "the clocks of two servers are not compared");
        assert_eq!((history.has_steps(), history.corrected(3700)), (false, 3700));
        // A restart keeps the clock.
        assert!(history.begin_for(&restarted));
        assert_eq!(history.observe(reading(start, 3.0, 4603.0)), None);
        assert_eq!(history.corrected(3610), 10, "begun before the step");
        assert!(!history.begin_for(&restarted));
        assert_eq!(history.observe(reading(start, 4.0, 4704.0)), Some(100.0));
    }

    #[test]
    fn repeated_local_times_have_two_ages() {
        for (conversion, expected) in [
            ("1000.000000,0,0", Some(LocalAge::Exact(9000))),
            ("1000,0,1", Some(LocalAge::Ambiguous(5400, 9000))),
            ("4600,1,0", Some(LocalAge::Ambiguous(5400, 9000))),
            ("9000,0,1", Some(LocalAge::Exact(1000))),
            ("10001,0,0", Some(LocalAge::Exact(-1))),
            ("x,0,0", None),
            ("1000", None),
        ] {
            assert_eq!(converted_age(10_000.0, conversion), expected, "{conversion}");
        }
    }
}
