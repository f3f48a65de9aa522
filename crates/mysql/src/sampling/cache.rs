//! Caches data between samples of a node to reduce the number of queries sent to the server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::{Failure, Limitation, Session, Transaction};

use crate::clock::NodeClockHistory;
use crate::connection::Connection;
use crate::flavor::Flavor;
use crate::server_instance::ServerInstance;
use crate::{program_names, sql_statements};

const FULL_SAMPLE_INTERVAL: Duration = Duration::from_mins(1);
const MAX_NEW_PROGRAM_NAMES_PER_SAMPLE: usize = 200;
/// Minimum interval between two reads of program names on MariaDB, which scans all sessions for each read.
const MARIADB_PROGRAM_NAME_READ_INTERVAL: Duration = Duration::from_secs(5);

/// Data shared by consecutive samples of a node.
#[derive(Debug, Default)]
pub struct SampleCache {
    server: Option<ServerInstance>,
    /// True if the previous sample contained sessions that were waiting for a lock.
    pub(super) has_waiters: bool,
    /// True if `performance_schema.processlist` is incomplete, so Clew uses `SHOW FULL PROCESSLIST` instead.
    pub(super) use_show_processlist: bool,
    pub(super) clock: NodeClockHistory,
    /// Limitations due to objects that performance_schema did not record, as of the last full sample.
    pub(super) losses: Vec<Limitation>,
    /// Limitations from the most recent sample that included the lock tables.
    pub(super) limitations: Vec<Limitation>,
    full_sample_at: Option<Instant>,
    programs: HashMap<u64, Arc<[u8]>>,
    /// Ids of the sessions whose program names have been read, including sessions without a program name.
    programs_read: HashSet<u64>,
    programs_at: Option<Instant>,
    /// Limitations that explain why program names are unreadable. The list is empty if the names are readable.
    pub(super) program_name_limitations: Vec<Limitation>,
}

impl SampleCache {
    /// Clears the cache, except the history of clock readings, if the server instance has changed.
    /// The cached data is invalid for another server instance, because session ids and settings differ.
    pub(super) fn clear_if_server_changed(&mut self, server: &ServerInstance) {
        if self.server.as_ref() != Some(server) {
            let clock = std::mem::take(&mut self.clock);
            *self = Self { server: Some(server.clone()), clock, ..Self::default() };
        }
        self.clock.select_server_clock_history(server);
    }

    pub(super) fn record_clock_reading(&mut self, connection: &Connection) {
        if let Some(clock) = connection.clock {
            self.clock.record_clock_reading(clock);
        }
    }

    pub(super) fn adjust_transaction_ages_for_clock_steps(&self, transactions: &mut [Transaction]) {
        if !self.clock.has_clock_steps() {
            return;
        }
        for transaction in transactions {
            transaction.seconds = self.clock.adjusted_age_or_zero(transaction.seconds);
            transaction.lock_wait_seconds =
                transaction.lock_wait_seconds.map(|seconds| self.clock.adjusted_age_or_zero(seconds));
        }
    }

    /// The first sample of a server instance is always a full sample.
    pub(super) fn is_full_sample_due(&self) -> bool {
        self.full_sample_at.is_none_or(|at| at.elapsed() >= FULL_SAMPLE_INTERVAL)
    }

    pub(super) fn program_name(&self, session: u64) -> Option<Arc<[u8]>> {
        self.programs.get(&session).cloned()
    }

    /// `unreadable` is the reason why performance_schema is unreadable, or `None` if it is readable.
    pub(super) async fn refresh_all_program_names(
        &mut self,
        connection: &mut Connection,
        unreadable: Option<&Limitation>,
    ) -> Result<(), Failure> {
        self.program_name_limitations.clear();
        self.programs =
            program_names::read_all_program_names(connection, unreadable, &mut self.program_name_limitations).await?;
        self.programs_read = self.programs.keys().copied().collect();
        let now = Instant::now();
        (self.full_sample_at, self.programs_at) = (Some(now), Some(now));
        Ok(())
    }

    pub(super) async fn read_program_names_of_new_sessions(
        &mut self,
        connection: &mut Connection,
        sessions: &[Session],
    ) -> Result<(), Failure> {
        let listed: HashSet<u64> = sessions.iter().map(|session| session.id).collect();
        self.programs.retain(|session, _| listed.contains(session));
        self.programs_read.retain(|session| listed.contains(session));
        let read_recently = self.programs_at.is_some_and(|at| at.elapsed() < MARIADB_PROGRAM_NAME_READ_INTERVAL);
        if !self.program_name_limitations.is_empty() || (connection.flavor == Flavor::MariaDb && read_recently) {
            return Ok(());
        }
        let new: Vec<u64> =
            listed.difference(&self.programs_read).copied().take(MAX_NEW_PROGRAM_NAMES_PER_SAMPLE).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.programs_at = Some(Instant::now());
        let rows = connection.read_rows(&sql_statements::program_names_query(&new)).await?;
        self.programs.extend(program_names::intern_program_names(rows));
        self.programs_read.extend(new);
        Ok(())
    }
}
