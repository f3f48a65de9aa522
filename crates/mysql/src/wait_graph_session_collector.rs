//! Collects the sessions for the wait graph from the process list.

use std::collections::{HashMap, HashSet};

use clew_diagnose::waits::{ObservedSession, is_lock_wait_state};
use clew_model::Session;

use crate::client::Error;
use crate::locks::{SessionIdsByThread, determine_session_role};
use crate::own_sessions::OwnSessionFilter;
use crate::process_list::SessionMemoryLimiter;

pub(crate) const MAX_WAITER_STATEMENT_BYTES: usize = 64 << 10;
const MAX_TOTAL_STATEMENT_BYTES: usize = 16 << 20;

/// Collects sessions that are waiting for a lock or may block other sessions.
/// The collector stores the SQL statements of waiting sessions only, to limit the memory usage.
pub(crate) struct WaitGraphSessionCollector {
    parties: HashSet<u64>,
    sessions: Vec<Session>,
    memory: SessionMemoryLimiter,
    statement_bytes: usize,
}

impl WaitGraphSessionCollector {
    /// `parties` contains the ids of sessions that may be waiting for a lock or blocking other sessions.
    pub(crate) fn new(parties: HashSet<u64>, max_bytes: usize) -> Self {
        Self { parties, sessions: Vec::new(), memory: SessionMemoryLimiter::new(max_bytes), statement_bytes: 0 }
    }

    /// Fails if the stored sessions exceed the memory limit.
    pub(crate) fn collect_session(&mut self, session: &Session) -> Result<(), Error> {
        let waits = session.state.as_deref().is_some_and(is_lock_wait_state);
        if !waits && !self.parties.contains(&session.id) {
            return Ok(());
        }
        let statement = session.statement.as_ref().filter(|_| waits).and_then(|whole| {
            let prefix = whole.get(..MAX_WAITER_STATEMENT_BYTES).unwrap_or(whole);
            self.statement_bytes += prefix.len();
            (self.statement_bytes <= MAX_TOTAL_STATEMENT_BYTES).then(|| prefix.to_vec())
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
        self.memory.add_session(&session)?;
        self.sessions.push(session);
        Ok(())
    }

    pub(crate) fn replace_elapsed_times(&mut self, checked: &[Session]) {
        let seconds: HashMap<u64, u64> = checked.iter().map(|session| (session.id, session.seconds)).collect();
        for session in &mut self.sessions {
            session.seconds = seconds.get(&session.id).copied().unwrap_or(session.seconds);
        }
    }

    pub(crate) fn reset(&mut self) {
        self.sessions.clear();
        self.memory.reset();
        self.statement_bytes = 0;
    }

    pub(crate) fn into_observed_sessions(
        self,
        mut own: OwnSessionFilter,
        threads: &SessionIdsByThread,
    ) -> Vec<ObservedSession> {
        let facts = |session: Session| {
            let role = determine_session_role(
                &session,
                own.is_own_session(&session),
                threads.is_replication_applier(session.id),
            );
            ObservedSession { role, session }
        };
        self.sessions.into_iter().map(facts).collect()
    }
}
