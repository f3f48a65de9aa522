//! Caches server data between samples to reduce the number of queries per sample.

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
/// Minimum interval between reads of program names on MariaDB. Each read scans all sessions.
const MARIADB_PROGRAM_NAME_READ_INTERVAL: Duration = Duration::from_secs(5);

/// Data that Clew keeps between consecutive samples of a node's sessions.
#[derive(Debug, Default)]
pub struct SampleCache {
    server: Option<ServerInstance>,
    /// True if the previous sample contained sessions that were waiting for a lock.
    pub(super) has_waiters: bool,
    /// True if Clew runs `SHOW FULL PROCESSLIST` because `performance_schema.processlist` lacks sessions.
    pub(super) use_show_processlist: bool,
    pub(super) clock: NodeClockHistory,
    /// Notes about objects, such as threads, that were missing from performance_schema at the last full sample.
    pub(super) losses: Vec<Limitation>,
    /// Notes about data that Clew could not read, from the latest sample that included the lock tables.
    pub(super) limitations: Vec<Limitation>,
    full_sample_at: Option<Instant>,
    programs: HashMap<u64, Arc<[u8]>>,
    /// Ids of the sessions for which Clew has already queried the program name, including sessions without a program name.
    programs_read: HashSet<u64>,
    programs_at: Option<Instant>,
    /// Reasons why Clew could not read the program names; empty if Clew has read the program names.
    pub(super) program_name_limitations: Vec<Limitation>,
}

impl SampleCache {
    /// If the server instance has changed, clears all cached data except the history of clock readings.
    /// Cached data is invalid after the server instance changes, because session ids and settings can differ.
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

    /// Returns true if no full sample exists or the last full sample is at least `FULL_SAMPLE_INTERVAL` old.
    pub(super) fn is_full_sample_due(&self) -> bool {
        self.full_sample_at.is_none_or(|at| at.elapsed() >= FULL_SAMPLE_INTERVAL)
    }

    pub(super) fn program_name(&self, session: u64) -> Option<Arc<[u8]>> {
        self.programs.get(&session).cloned()
    }

    /// `unreadable` is the reason why Clew cannot read performance_schema, or `None` if performance_schema is readable.
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
