//! What is kept of a node's sessions for the wait graph, while they pass by.

use std::collections::{HashMap, HashSet};

use clew_diagnose::waits::{SessionFacts, is_wait_state};
use clew_model::Session;

use crate::client::Error;
use crate::locks::{Threads, role};
use crate::own_sessions::OwnSessionFilter;
use crate::sessions::Kept;

/// Bytes that are kept of a statement that a wait is concluded from, and of all of them together.
pub(crate) const STATEMENT_KEPT: usize = 64 << 10;
const STATEMENTS_KEPT: usize = 16 << 20;

/// What the graph needs of sessions: those that wait or may be waited for, and of their statements only those that a wait may be
/// concluded from.
#[derive(Default)]
pub(crate) struct Seen {
    parties: HashSet<u64>,
    sessions: Vec<Session>,
    kept: Kept,
    statements: usize,
}

impl Seen {
    /// Nothing yet. `parties` are sessions that wait or may be waited for.
    pub(crate) fn of(parties: HashSet<u64>) -> Self {
        Self { parties, ..Self::default() }
    }

    /// Keeps of a session what the graph needs, if it needs anything. Fails where that is too much for the memory.
    pub(crate) fn look(&mut self, session: &Session) -> Result<(), Error> {
        let waits = session.state.as_deref().is_some_and(is_wait_state);
        if !waits && !self.parties.contains(&session.id) {
            return Ok(());
        }
        let statement = session.statement.as_ref().filter(|_| waits).and_then(|whole| {
            let kept = whole.get(..STATEMENT_KEPT).unwrap_or(whole);
            self.statements += kept.len();
            (self.statements <= STATEMENTS_KEPT).then(|| kept.to_vec())
        });
        let session = Session {
            id: session.id,
            user: session.user.clone(),
            host: session.host.clone(),
            database: session.database.clone(),
            command: session.command.clone(),
            seconds: session.seconds,
            state: session.state.clone(),
            statement,
        };
        self.kept.add(&session)?;
        self.sessions.push(session);
        Ok(())
    }

    /// Takes over the seconds of these sessions, which were checked since.
    pub(crate) fn set_seconds(&mut self, checked: &[Session]) {
        let seconds: HashMap<u64, u64> = checked.iter().map(|session| (session.id, session.seconds)).collect();
        for session in &mut self.sessions {
            session.seconds = seconds.get(&session.id).copied().unwrap_or(session.seconds);
        }
    }

    /// Forgets the sessions that it saw: they are read anew.
    pub(crate) fn forget(&mut self) {
        self.sessions.clear();
        self.kept = Kept::default();
        self.statements = 0;
    }

    /// What was kept, with whose each session is.
    pub(crate) fn facts(self, mut own: OwnSessionFilter, threads: &Threads) -> Vec<SessionFacts> {
        let facts = |session: Session| {
            let role = role(&session, own.is_own(&session), threads.is_applier(session.id));
            SessionFacts { role, session }
        };
        self.sessions.into_iter().map(facts).collect()
    }
}
