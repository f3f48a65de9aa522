//! Lists of user sessions for the evaluation of kill rules. Clew checks the elapsed times of the sessions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Limitation, Session};

use super::victim::ProcessListSource;
use crate::clock::{ClockReading, ElapsedTimeBounds, NodeClockHistory, UnreliableClockReason};

/// User sessions of a node, as input for kill rules.
#[derive(Debug, Clone)]
pub struct ClientSessions {
    /// Server instance that returned the process list, and the time at which Clew read the list.
    pub read: ProcessListSource,
    /// User sessions, excluding sessions of Clew. Statements longer than 64 KiB are truncated.
    pub sessions: Vec<Session>,
    /// Ids of sessions whose elapsed times are unverified. Kill rules must not select these sessions.
    pub unchecked: HashSet<u64>,
    /// True if the server computes elapsed times from a monotonic timer, which clock steps do not affect.
    pub is_monotonic: bool,
    /// Reading of the server's clock, taken after reading the process list; `None` if the server does not report a valid time.
    pub clock: Option<ClockReading>,
    /// Notes about data that Clew could not read from the server.
    pub limitations: Vec<Limitation>,
    /// Time to read all data, from acquiring the connection permit to receiving the last row.
    pub duration: Duration,
}

impl ClientSessions {
    /// Compares the server's clock with earlier readings, and corrects the elapsed times if the clock was changed.
    /// If the elapsed times are too unreliable for automatic kills, returns the reason; otherwise, returns `None`.
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

    /// Corrects elapsed times for clock steps, and caps them at upper bounds derived from the previous process list.
    /// The upper bounds on elapsed times limit the errors that undetected clock steps cause.
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

    /// Returns the sessions whose elapsed times Clew has verified.
    #[must_use]
    pub fn into_sessions_with_checked_times(self) -> Vec<Session> {
        let unchecked = self.unchecked;
        self.sessions.into_iter().filter(|session| !unchecked.contains(&session.id)).collect()
    }
}
