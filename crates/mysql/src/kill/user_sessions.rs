//! The sessions that rules choose victims from, with ages that automatic kills may rely on.

use std::collections::HashSet;
use std::time::Duration;

use clew_model::{Limitation, Session};

use super::victim::ListRead;
use crate::clock::{ClockHistory, ClockReading};

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
    /// How long the node was busy with this look, from connecting to the last row.
    pub took: Duration,
}

impl UserSessions {
    /// Compares the server's clock with what `history` knows of it, and corrects the seconds of sessions by its steps. Returns the seconds by which
    /// the clock was set since the previous read: then no automatic kill may follow from this one.
    pub fn check_clock(&mut self, history: &mut ClockHistory) -> Option<f64> {
        let step = history.observe(self.clock?);
        if !self.is_monotonic && history.has_steps() {
            for session in &mut self.sessions {
                session.seconds = history.corrected_seconds(session.seconds);
            }
        }
        step
    }

    /// The sessions that rules may choose from: those whose seconds were checked.
    #[must_use]
    pub fn into_choosable(self) -> Vec<Session> {
        let unchecked = self.unchecked;
        self.sessions.into_iter().filter(|session| !unchecked.contains(&session.id)).collect()
    }
}
