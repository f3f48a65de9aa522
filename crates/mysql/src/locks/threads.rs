//! Which session each of performance_schema's threads serves.

use std::collections::HashMap;

use clew_model::Failure;

use super::metadata::Access;
use crate::connection::Connection;
use crate::statements;

/// Sessions by thread. A thread that is not here ended, or serves nobody.
#[derive(Debug, Default)]
pub(super) struct Threads {
    sessions: HashMap<u64, u64>,
}

impl Threads {
    /// The session that a thread serves.
    pub(super) fn session(&self, thread: u64) -> Option<u64> {
        self.sessions.get(&thread).copied()
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
    let rows: Vec<(u64, u64)> = connection.ask(statements::THREADS).await.map_err(|error| connection.failed(&error))?;
    Ok(Threads { sessions: rows.into_iter().collect() })
}
