//! Reads lock waits before and after kills to determine which sessions the kills unblocked.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use clew_diagnose::lock_waits::{WaitGraph, WaitParticipant};
use clew_model::{Failure, LimitationKind, NodeUrl};
use tokio::time::{Instant, sleep, sleep_until};

use super::{KillOutcome, KillTarget};
use crate::connector::NodeConnector;
use crate::locks::{LockWaits, read_lock_waits, read_server_instance_and_lock_waits};
use crate::server_instance::ServerInstance;
use crate::transactions::INNODB_TRX_REFRESH_INTERVAL;

/// Maximum read timeout for the lock waits before and after a kill, so that a slow server delays the kill only briefly.
const KILL_EFFECT_READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of times that Clew reads the lock waits after a kill.
/// Clew stops reading earlier if the rollback has started and no session that the kill can unblock is still waiting.
const MAX_KILL_EFFECT_POLLS: u32 = 4;

/// A node's transactions and lock waits, read immediately before a kill.
/// InnoDB caches `innodb_trx`, so the data can be 0.1 s old, or older if other clients read the table continuously.
#[derive(Debug)]
pub struct PreKillSnapshot {
    /// Maps session ids to the number of modified rows; `None` if the account cannot read transactions.
    rows: Option<HashMap<u64, u64>>,
    graph: WaitGraph,
    server: ServerInstance,
    read_at: Instant,
}

/// Effect of kills.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KillEffect {
    /// Number of rows that the server has already rolled back for the killed sessions.
    /// `rows_rolled_back` is `None` if the database account cannot read InnoDB transactions.
    pub rows_rolled_back: Option<u64>,
    /// Ids of sessions that waited for a killed session, directly or transitively, and no longer wait.
    pub unblocked: Vec<u64>,
    /// Ids of sessions that a killed session blocked directly or indirectly and that are still waiting.
    pub still_waiting: Vec<u64>,
    /// True if Clew could not detect all lock waits, so `unblocked` may lack sessions that the kills unblocked.
    pub hides_waits: bool,
}

impl PreKillSnapshot {
    /// Reads the current transactions and lock waits of a node.
    pub async fn read_pre_kill_snapshot(node: &NodeUrl, connector: &NodeConnector) -> Result<Self, Failure> {
        let connector = connector.with_max_timeout(KILL_EFFECT_READ_TIMEOUT);
        let (server, waits) = read_server_instance_and_lock_waits(node, &connector).await?;
        let rows = count_modified_rows_by_session(&waits);
        Ok(Self { rows, graph: waits.graph, server, read_at: Instant::now() })
    }

    /// Returns the server instance from which Clew read the transactions and lock waits.
    #[must_use]
    pub fn server_instance(&self) -> &ServerInstance {
        &self.server
    }

    /// Returns the number of sessions that wait for `session`, directly or transitively.
    #[must_use]
    pub fn count_waiters(&self, session: u64) -> usize {
        self.graph.count_waiters(WaitParticipant::Session(session))
    }

    /// Determines the effect of kills by comparing the transactions and lock waits before and after the kills.
    pub async fn measure_effect_of_kills(
        &self,
        node: &NodeUrl,
        target: KillTarget,
        outcomes: &[(u64, KillOutcome)],
        connector: &NodeConnector,
    ) -> Result<KillEffect, Failure> {
        let killed: Vec<u64> =
            outcomes.iter().filter(|(_, outcome)| outcome.was_accepted()).map(|(session, _)| *session).collect();
        let gone: Vec<WaitParticipant> = killed.iter().copied().map(WaitParticipant::Session).collect();
        let waiters: BTreeSet<u64> =
            self.graph.transitive_waiters(&gone).into_iter().filter_map(WaitParticipant::session_id).collect();
        let max_unblocked = self.graph.find_waiters_unblocked_by(&gone).len();
        let rows_before = self.rows.as_ref().map(|rows| sum_modified_rows(rows, &killed));
        if waiters.is_empty() && rows_before.is_none_or(|rows| rows == 0) {
            return Ok(KillEffect {
                rows_rolled_back: rows_before,
                hides_waits: self.graph.may_miss_lock_waits(),
                ..KillEffect::default()
            });
        }
        // An earlier read would return the data cached for the baseline.
        sleep_until(self.read_at + INNODB_TRX_REFRESH_INTERVAL).await;
        let mut pause = INNODB_TRX_REFRESH_INTERVAL;
        let connector = connector.with_max_timeout(KILL_EFFECT_READ_TIMEOUT);
        for poll in 1.. {
            let waits = read_lock_waits(node, &connector).await?;
            let waiting = find_waiting_sessions(&waits.graph);
            let (still_waiting, unblocked): (Vec<u64>, Vec<u64>) =
                waiters.iter().copied().partition(|session| waiting.contains(session));
            let rows_after = count_modified_rows_by_session(&waits).map(|rows| sum_modified_rows(&rows, &killed));
            // If no rows were rolled back, the rollback has not started, or InnoDB's cache still contains old data.
            // A killed statement may have changed no rows.
            let has_rolled_back = target == KillTarget::Query
                || rows_before.zip(rows_after).is_none_or(|(before, after)| before == 0 || after < before);
            if (unblocked.len() >= max_unblocked && has_rolled_back) || poll == MAX_KILL_EFFECT_POLLS {
                let undone = rows_before.zip(rows_after).map(|(before, after)| before.saturating_sub(after));
                return Ok(KillEffect {
                    rows_rolled_back: undone,
                    unblocked,
                    still_waiting,
                    hides_waits: self.graph.may_miss_lock_waits(),
                });
            }
            sleep(pause).await;
            pause *= 2;
        }
        Ok(KillEffect::default())
    }
}

fn count_modified_rows_by_session(waits: &LockWaits) -> Option<HashMap<u64, u64>> {
    if waits.graph.limitations.iter().any(|limitation| limitation.kind == LimitationKind::NoTransactions) {
        return None;
    }
    let mut rows: HashMap<u64, u64> = HashMap::new();
    for facts in &waits.transactions {
        let of_session = rows.entry(facts.transaction.session_id).or_default();
        *of_session = of_session.saturating_add(facts.transaction.rows_modified);
    }
    Some(rows)
}

fn sum_modified_rows(rows: &HashMap<u64, u64>, sessions: &[u64]) -> u64 {
    sessions.iter().filter_map(|session| rows.get(session)).fold(0, |sum, rows| sum.saturating_add(*rows))
}

fn find_waiting_sessions(graph: &WaitGraph) -> HashSet<u64> {
    let unexplained = graph.unexplained.iter().map(|wait| wait.session);
    graph.waits.iter().filter_map(|wait| wait.waiter.session_id()).chain(unexplained).collect()
}
