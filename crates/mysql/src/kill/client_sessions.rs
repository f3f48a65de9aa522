//! User sessions with checked elapsed times, from which kill rules select the sessions to kill.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Limitation, Session};

use super::victim::ProcessListSource;
use crate::clock::{ClockReading, ElapsedTimeBounds, NodeClockHistory, UnreliableClockReason};

/// User sessions from which kill rules select the sessions to kill.
#[derive(Debug, Clone)]
pub struct ClientSessions {
    /// Server instance that returned the process list, and the time at which Clew read the list.
    pub read: ProcessListSource,
    /// User sessions, excluding Clew's own. Statements longer than 64 KiB are truncated.
    pub sessions: Vec<Session>,
    /// Ids of the sessions whose elapsed times could not be checked. Kill rules must not select these sessions.
    pub unchecked: HashSet<u64>,
    /// True if the server computes elapsed times from a monotonic timer, which clock steps do not affect.
    pub is_monotonic: bool,
    /// Reading of the server's clock, taken immediately after the process list was read.
    pub clock: Option<ClockReading>,
    /// Descriptions of the data that could not be read.
    pub limitations: Vec<Limitation>,
    /// Duration of the read operation, from acquiring the connection permit to receiving the last row.
    pub duration: Duration,
}

impl ClientSessions {
    /// Compares the server's clock with earlier readings and corrects elapsed times after a clock step.
    /// Returns the reason why automatic kills must not rely on elapsed times, or `None` if elapsed times are reliable.
    pub fn adjust_elapsed_times_for_clock_steps(
        &mut self,
        history: &mut NodeClockHistory,
    ) -> Option<UnreliableClockReason> {
        let is_another = history.select_server_clock_history(&self.read.server);
        let Some(clock) = self.clock else { return (!self.is_monotonic).then_some(UnreliableClockReason::Unreadable) };
        let step = history.record_clock_reading(clock);
        let mut difference = None;
        if !self.is_monotonic {
            difference = history.detect_initial_clock_difference(&clock);
            if difference.is_some() {
                // All elapsed times count from this read.
                history.record_elapsed_time_bounds(ElapsedTimeBounds::new(self.read.at));
            }
            self.correct_elapsed_times_with_clock_history(history);
        }
        step.map(UnreliableClockReason::ClockChanged)
            .or(difference.map(UnreliableClockReason::DiffersFromLocalClock))
            .or(is_another.then_some(UnreliableClockReason::AnotherServer))
    }

    /// Corrects elapsed times for clock steps. Caps each elapsed time at an upper bound derived from the previous process list.
    /// The upper bounds of elapsed times limit the error from undetected clock steps, such as a step forward and back between two reads.
    fn correct_elapsed_times_with_clock_history(&mut self, history: &mut NodeClockHistory) {
        let (mut bounds, mut reported) = (ElapsedTimeBounds::new(self.read.at), HashMap::new());
        for session in &mut self.sessions {
            let seconds = session.seconds;
            session.seconds = history.adjusted_age_or_zero(seconds);
            bounds.cap_elapsed_time(session, history.elapsed_time_bounds());
            if session.seconds != seconds {
                reported.insert(session.id, seconds);
            }
        }
        history.record_elapsed_time_bounds(bounds);
        self.read.reported = Arc::new(reported);
    }

    /// Returns only the sessions with a verified elapsed time.
    #[must_use]
    pub fn into_sessions_with_checked_times(self) -> Vec<Session> {
        let unchecked = self.unchecked;
        self.sessions.into_iter().filter(|session| !unchecked.contains(&session.id)).collect()
    }
}
