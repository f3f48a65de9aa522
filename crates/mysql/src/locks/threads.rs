//! Which session each of performance_schema's threads serves.

use std::collections::{HashMap, HashSet};

use clew_model::Failure;

use super::access::Access;
use crate::connection::Connection;
use crate::statements;

/// Sessions by thread. A thread that is not here ended, or serves nobody.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    sessions: HashMap<u64, u64>,
    appliers: HashSet<u64>,
}

impl Threads {
    /// The session that a thread serves.
    pub(crate) fn session(&self, thread: u64) -> Option<u64> {
        self.sessions.get(&thread).copied()
    }

    /// Whether a session applies what replication brings, as its thread's name says.
    pub(crate) fn is_applier(&self, session: u64) -> bool {
        self.appliers.contains(&session)
    }

    /// The threads of these sessions, with their sessions.
    pub(super) fn of(&self, sessions: &[u64]) -> HashMap<u64, u64> {
        let wanted = self.sessions.iter().filter(|(_, session)| sessions.contains(session));
        wanted.map(|(&thread, &session)| (thread, session)).collect()
    }
}

/// Reads them: after the locks, so that whoever holds one still is here.
pub(super) async fn read(connection: &mut Connection, access: Access) -> Result<Threads, Failure> {
    if !access.performance_schema {
        return Ok(Threads::default());
    }
    let rows: Vec<(u64, u64, bool)> =
        connection.ask(statements::THREADS).await.map_err(|error| connection.failed(&error))?;
    let appliers = rows.iter().filter(|(_, _, applies)| *applies).map(|&(_, session, _)| session).collect();
    Ok(Threads { sessions: rows.into_iter().map(|(thread, session, _)| (thread, session)).collect(), appliers })
}
