//! The sessions that rules choose victims from, with ages that automatic kills may rely on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Limitation, Session};

use super::victim::ListRead;
use crate::clock::{ClockDoubt, ClockHistory, ClockReading};

/// What rules choose victims from.
#[derive(Debug, Clone)]
pub struct UserSessions {
    /// The list that shows them.
    pub read: ListRead,
    /// Every session of a user, Clew's own left out, with the first 64 KiB of its statement.
    pub sessions: Vec<Session>,
    /// Sessions whose seconds could not be checked: no rule may choose them. [`UserSessions::limitations`] say why.
    pub unchecked: HashSet<u64>,
    /// Whether the seconds come from a monotonic timer: a step of the server's clock does not change them.
    pub is_monotonic: bool,
    /// The server's clock, right after the sessions were read.
    pub clock: Option<ClockReading>,
    /// What could not be read, and why.
    pub limitations: Vec<Limitation>,
    /// How long the node was busy with this read, from connecting to the last row.
    pub took: Duration,
}

impl UserSessions {
    /// Compares the server's clock with the earlier readings, and corrects the seconds of sessions by its steps. Returns why no automatic kill may
    /// follow from this read, if none may.
    pub fn check_clock(&mut self, history: &mut ClockHistory) -> Option<ClockDoubt> {
        let is_another = history.begin_for(&self.read.server);
        let Some(clock) = self.clock else { return (!self.is_monotonic).then_some(ClockDoubt::Unreadable) };
        let step = history.observe(clock);
        if !self.is_monotonic && history.has_steps() {
            let mut reported = HashMap::new();
            for session in &mut self.sessions {
                reported.insert(session.id, session.seconds);
                session.seconds = history.corrected_seconds(session.seconds);
            }
            self.read.reported = Arc::new(reported);
        }
        step.map(ClockDoubt::Set).or(is_another.then_some(ClockDoubt::AnotherServer))
    }

    /// The sessions that rules may choose from: those whose seconds were checked.
    #[must_use]
    pub fn into_choosable(self) -> Vec<Session> {
        let unchecked = self.unchecked;
        self.sessions.into_iter().filter(|session| !unchecked.contains(&session.id)).collect()
    }
}
