//! State that samples of a node share, so that each reads less from the server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_model::{Failure, Limitation, Session, Transaction};

use crate::clock::ClockHistory;
use crate::connection::Connection;
use crate::programs;
use crate::server::Flavor;
use crate::server_instance::ServerInstance;

/// Interval of complete samples, which check privileges and settings too.
const ALL_AGAIN: Duration = Duration::from_mins(1);
/// Programs of new sessions that one sample reads.
const NEW_AT_ONCE: usize = 200;
/// MariaDB looks through all sessions for the program of one.
const WITHOUT_KEY: Duration = Duration::from_secs(5);

/// Of one node.
#[derive(Debug, Default)]
pub struct LiveMemory {
    /// The server that the rest is of.
    server: Option<ServerInstance>,
    /// Whether the last sample had waiters.
    pub(super) has_waiters: bool,
    /// Whether the table without a lock does not show what there is.
    pub(super) by_show: bool,
    /// What is known of the server's clock.
    pub(super) clock: ClockHistory,
    /// What performance_schema had lost then.
    pub(super) losses: Vec<Limitation>,
    /// What the last complete sample could not read.
    pub(super) limitations: Vec<Limitation>,
    all_at: Option<Instant>,
    programs: HashMap<u64, Arc<[u8]>>,
    /// Sessions whose program was read, including those without a program name.
    asked_for: HashSet<u64>,
    programs_at: Option<Instant>,
    /// What is missing of programs; nothing where they can be read.
    programs_missing: Vec<Limitation>,
}

impl LiveMemory {
    /// Drops the samples of another server instance: each instance has session ids and settings of its own.
    pub(super) fn begin_for(&mut self, server: &ServerInstance) {
        if self.server.as_ref() != Some(server) {
            let clock = std::mem::take(&mut self.clock);
            *self = Self { server: Some(server.clone()), clock, ..Self::default() };
        }
        self.clock.begin_for(server);
    }

    /// Records the server's clock, if the connection read it.
    pub(super) fn observe_clock(&mut self, connection: &Connection) {
        if let Some(clock) = connection.clock {
            self.clock.observe(clock);
        }
    }

    /// Corrects ages by the steps of the server's clock that were detected.
    pub(super) fn correct_ages(&self, transactions: &mut [Transaction]) {
        if !self.clock.has_steps() {
            return;
        }
        for transaction in transactions {
            transaction.seconds = self.clock.corrected_seconds(transaction.seconds);
            transaction.lock_wait_seconds =
                transaction.lock_wait_seconds.map(|seconds| self.clock.corrected_seconds(seconds));
        }
    }

    /// Whether it is time to try all, as the first look does.
    pub(super) fn is_due(&self) -> bool {
        self.all_at.is_none_or(|at| at.elapsed() >= ALL_AGAIN)
    }

    /// The program of a session.
    pub(super) fn program(&self, session: u64) -> Option<Arc<[u8]>> {
        self.programs.get(&session).cloned()
    }

    /// What is missing of programs.
    pub(super) fn programs_missing(&self) -> &[Limitation] {
        &self.programs_missing
    }

    /// Reads the programs of all sessions, or finds out why not. `unreadable` is why performance_schema cannot be read, if it cannot.
    pub(super) async fn read_all_programs(
        &mut self,
        connection: &mut Connection,
        unreadable: Option<&Limitation>,
    ) -> Result<(), Failure> {
        self.programs_missing.clear();
        self.programs = programs::read(connection, unreadable, &mut self.programs_missing).await?;
        self.asked_for = self.programs.keys().copied().collect();
        let now = Instant::now();
        (self.all_at, self.programs_at) = (Some(now), Some(now));
        Ok(())
    }

    /// Reads the programs of sessions that are new, as many as one look may ask for, and forgets those of sessions that ended.
    pub(super) async fn read_new_programs(
        &mut self,
        connection: &mut Connection,
        sessions: &[Session],
    ) -> Result<(), Failure> {
        let there: HashSet<u64> = sessions.iter().map(|session| session.id).collect();
        self.programs.retain(|session, _| there.contains(session));
        self.asked_for.retain(|session| there.contains(session));
        let asked_just_now = self.programs_at.is_some_and(|at| at.elapsed() < WITHOUT_KEY);
        if !self.programs_missing.is_empty() || (connection.flavor == Flavor::MariaDb && asked_just_now) {
            return Ok(());
        }
        let new: Vec<u64> = there.difference(&self.asked_for).copied().take(NEW_AT_ONCE).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.programs_at = Some(Instant::now());
        self.programs.extend(programs::read_of(connection, &new).await?);
        self.asked_for.extend(new);
        Ok(())
    }
}
