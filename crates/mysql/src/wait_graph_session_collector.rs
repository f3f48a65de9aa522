//! Collects the sessions of the wait graph and classifies them as user, replication applier, internal or Clew sessions.

use std::collections::{HashMap, HashSet};

use clew_diagnose::is_internal_session;
use clew_diagnose::lock_waits::{ObservedSession, SessionRole, is_lock_wait_state};
use clew_model::Session;

use crate::client::Error;
use crate::locks::SessionIdsByThread;
use crate::own_sessions::OwnSessionFilter;
use crate::process_list::SessionMemoryLimiter;

pub(crate) const MAX_WAITER_STATEMENT_BYTES: usize = 64 << 10;
const MAX_TOTAL_STATEMENT_BYTES: usize = 16 << 20;

/// Collects sessions that are waiting for a lock or may block other sessions.
/// To limit memory usage, the collector stores SQL statements only for waiting sessions.
pub(crate) struct WaitGraphSessionCollector {
    parties: HashSet<u64>,
    sessions: Vec<Session>,
    memory: SessionMemoryLimiter,
    statement_bytes: usize,
}

impl WaitGraphSessionCollector {
    /// Creates a collector for waiting sessions and for the sessions whose ids are in `parties`.
    pub(crate) fn new(parties: HashSet<u64>, max_bytes: usize) -> Self {
        Self { parties, sessions: Vec::new(), memory: SessionMemoryLimiter::new(max_bytes), statement_bytes: 0 }
    }

    /// Stores `session` if it may be part of a lock wait. Fails if the stored sessions exceed the memory limit.
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
        self.sessions.into_iter().map(|session| to_observed_session(session, &mut own, threads)).collect()
    }
}

/// Determines whether the session belongs to a user, to Clew, to a replication applier or to the server itself.
pub(crate) fn to_observed_session(
    session: Session,
    own: &mut OwnSessionFilter,
    threads: &SessionIdsByThread,
) -> ObservedSession {
    let (is_own, is_applier) = (own.is_own_session(&session), threads.is_replication_applier(session.id));
    ObservedSession { role: determine_session_role(&session, is_own, is_applier), session }
}

/// Process list commands that identify MariaDB replication appliers. The account name is not a reliable indicator.
/// While a MariaDB 10.11 replication applier runs a trigger, the process list shows the trigger definer's account.
const MARIADB_REPLICATION_APPLIER_COMMANDS: [&[u8]; 2] = [b"Slave_SQL", b"Slave_worker"];

/// `is_applier` is true if the session's thread has the name of a replication applier thread.
fn determine_session_role(session: &Session, is_own: bool, is_applier: bool) -> SessionRole {
    // On MySQL, only applier threads have the command `Query`, never the receiver thread.
    let applies = || session.user == b"system user" && session.command == b"Query" && is_internal_session(session);
    if is_own {
        SessionRole::Clew
    } else if is_applier || MARIADB_REPLICATION_APPLIER_COMMANDS.contains(&session.command.as_slice()) || applies() {
        SessionRole::Applier
    } else if is_internal_session(session) {
        SessionRole::Internal
    } else {
        SessionRole::User
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appliers_are_distinguished_from_receiver_threads() {
        for (user, command, expected) in [
            ("app", "Query", SessionRole::User),
            ("root", "Slave_SQL", SessionRole::Applier),
            ("system user", "Query", SessionRole::Applier),
            ("system user", "Connect", SessionRole::Internal),
            ("system user", "Slave_SQL", SessionRole::Applier),
            ("system user", "Slave_worker", SessionRole::Applier),
            ("system user", "Slave_IO", SessionRole::Internal),
            ("system user", "Daemon", SessionRole::Internal),
            ("event_scheduler", "Daemon", SessionRole::Internal),
            ("repl", "Binlog Dump GTID", SessionRole::Internal),
        ] {
            let session = Session { user: user.into(), command: command.into(), ..Session::default() };
            assert_eq!(determine_session_role(&session, false, false), expected, "{user} {command}");
            assert_eq!(determine_session_role(&session, false, true), SessionRole::Applier);
            assert_eq!(determine_session_role(&session, true, false), SessionRole::Clew);
        }
    }
}
