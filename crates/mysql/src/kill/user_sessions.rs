//! Sessions from which rules choose victims, with ages that automatic kills may rely on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Limitation, Session};

use super::victim::ProcessListRead;
use crate::clock::{ClockDoubt, ClockHistory, ClockReading};

/// Sessions of users, from which rules choose victims.
#[derive(Debug, Clone)]
pub struct UserSessions {
    /// Process list that has the sessions.
    pub read: ProcessListRead,
    /// Sessions of users, without Clew's own, with the first 64 KiB of their statements.
    pub sessions: Vec<Session>,
    /// Sessions whose age could not be checked. Rules must not choose them; `limitations` has the reasons.
    pub unchecked: HashSet<u64>,
    /// True if ages come from a monotonic timer, which a step of the server's clock does not change.
    pub is_monotonic: bool,
    /// Reading of the server's clock just after the sessions were read.
    pub clock: Option<ClockReading>,
    /// Limitations of the read.
    pub limitations: Vec<Limitation>,
    /// Duration of the read, from connecting to the last row.
    pub duration: Duration,
}

impl UserSessions {
    /// Compares the server's clock with earlier readings, and corrects ages by detected steps.
    /// Returns the reason if no automatic kill may rely on this read.
    pub fn check_clock(&mut self, history: &mut ClockHistory) -> Option<ClockDoubt> {
        let is_another = history.select_server(&self.read.server);
        let Some(clock) = self.clock else { return (!self.is_monotonic).then_some(ClockDoubt::Unreadable) };
        let step = history.record_reading(clock);
        if !self.is_monotonic && history.has_clock_steps() {
            let mut reported = HashMap::new();
            for session in &mut self.sessions {
                reported.insert(session.id, session.seconds);
                session.seconds = history.adjust_seconds(session.seconds);
            }
            self.read.reported = Arc::new(reported);
        }
        step.map(ClockDoubt::Stepped).or(is_another.then_some(ClockDoubt::AnotherServer))
    }

    /// Returns the sessions whose ages were checked.
    #[must_use]
    pub fn into_checked(self) -> Vec<Session> {
        let unchecked = self.unchecked;
        self.sessions.into_iter().filter(|session| !unchecked.contains(&session.id)).collect()
    }
}
