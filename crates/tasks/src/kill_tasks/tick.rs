//! Tick of the kill tasks: one read of a node for all rules of its instance, and the resulting kills.

use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::{KillRule, victims};
use clew_model::{Failure, LimitationKind, Node, Origin, Session};
use clew_mysql::{
    ClockDoubt, KillKind, KillOutcome, Limits, ProcessListRead, Purpose, Refusal, UnsafeVictims, UserSessions,
    read_user_sessions,
};
use clew_store::{InstanceKillTasks, KillSource, KillTask, LoginCause, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::node_state::TickGuard;
use crate::adaptive_interval::IntervalChange;
use crate::kills::{KillError, KillExecutor, KillRequest, VictimMatch, proxy_failure};
use crate::logins::Login;
use crate::observer::Observer;

/// Tick on one node, with its dependencies.
pub(super) struct Tick {
    pub(super) store: Store,
    pub(super) kills: KillExecutor,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) limits: Limits,
    pub(super) worker: String,
    pub(super) rounds: InstanceKillTasks,
    /// End of the lease. No kill is sent later, because another worker may hold the lease then.
    pub(super) lease_end: Instant,
    pub(super) node: Node,
}

/// A task and the sessions that it kills.
type TaskVictims = (KillTask, Vec<Session>);

impl Tick {
    /// Reads the sessions, selects victims and kills them. Only the first of consecutive failures on a node is logged.
    pub(super) async fn run(self, guard: TickGuard, shutdown: CancellationToken) {
        let start = std::time::Instant::now();
        let limits = self.remaining_limits();
        let login = match Login::request(&self.store, &self.node.id, LoginCause::Automatic).await {
            Ok(login) => login,
            Err(failure) => return self.report(Err(KillError::Node(failure)), &guard),
        };
        let read = read_user_sessions(&self.node.url, Purpose::Reading, &limits);
        let Some(read) = Box::pin(shutdown.run_until_cancelled(read)).await else { return };
        login.record(&self.node, read.as_ref().err()).await;
        // A failed read reports no duration.
        self.record_read_time(read.as_ref().map_or_else(|_| start.elapsed(), |read| read.duration), &guard);
        let result = match read {
            Ok(listed) => match proxy_failure(&self.node.url, &listed) {
                Some(failure) => Err(KillError::Node(failure)),
                None => match self.sessions_with_reliable_ages(listed, &guard) {
                    Some((read, sessions)) => {
                        self.kill_victims(self.select_victims(sessions, &guard), &read, &guard).await
                    }
                    None => Ok(()),
                },
            },
            Err(failure) => Err(KillError::Node(failure)),
        };
        self.report(result, &guard);
    }

    /// Logs the first failure on a node, and the recovery.
    fn report(&self, result: Result<(), KillError>, guard: &TickGuard) {
        match result {
            Err(error) if guard.set_failing(true) => {
                warn!(node.id = %self.node.id, %error, "kill tasks cannot do their work on a node; they will try again");
            }
            Ok(()) if guard.set_failing(false) => info!(node.id = %self.node.id, "kill tasks work on a node again"),
            _ => {}
        }
    }

    /// Returns the sessions with reliable ages, and their process list.
    /// Returns `None` if the server's clock is not reliable: the tick is then skipped.
    fn sessions_with_reliable_ages(
        &self,
        mut read: UserSessions,
        guard: &TickGuard,
    ) -> Option<(ProcessListRead, Vec<Session>)> {
        let doubt = guard.check_clock(&mut read);
        let reason = read.limitations.iter().find(|gap| gap.kind == LimitationKind::UnreliableAges);
        let unchecked = read.unchecked.len();
        // A clock step is a single event. The other doubts persist, for example behind a load balancer.
        let is_persistent = matches!(doubt, Some(ClockDoubt::Unreadable | ClockDoubt::AnotherServer));
        let changed = guard.set_unreliable_ages(is_persistent || (reason.is_some() && unchecked > 0));
        if let Some(gap) = reason.filter(|_| changed && unchecked > 0) {
            warn!(
                node.id = %self.node.id, sessions = unchecked, reason = gap.why, fix = gap.remedy,
                "kill tasks spare sessions whose age is not reliable"
            );
        }
        if let Some(doubt) = doubt {
            if changed || !is_persistent {
                warn!(node.id = %self.node.id, reason = %doubt, "kill tasks skip a round on a node");
            }
            return None;
        }
        Some((read.read.clone(), read.into_checked()))
    }

    /// Adapts the interval of the node to the duration of the read.
    fn record_read_time(&self, took: Duration, guard: &TickGuard) {
        let (change, slow_interval) = guard.record_read(took);
        if slow_interval.is_some() || change.is_some() {
            self.observer.poll_interval_changed(&self.node.id, slow_interval);
        }
        let node = &self.node.id;
        match change {
            Some(IntervalChange::Lengthened(interval)) => info!(
                node.id = %node, look.seconds = took.as_secs_f64(), look.interval_seconds = interval.as_secs_f64(),
                "a look at a node takes long; kill tasks look at it less often"
            ),
            Some(IntervalChange::Restored) => info!(node.id = %node, "kill tasks look at a node each second again"),
            None => {}
        }
    }

    /// Selects the victims of each task. If several tasks match a session, the oldest task kills it.
    fn select_victims(&self, sessions: Vec<Session>, guard: &TickGuard) -> Vec<TaskVictims> {
        let rule = |task: &KillTask| KillRule::new(&task.criteria).masked(task.masked);
        let rules: Vec<_> = self.rounds.tasks.iter().map(rule).collect();
        let mut chosen: Vec<TaskVictims> = self.rounds.tasks.iter().map(|task| (task.clone(), Vec::new())).collect();
        for (at, session) in victims(&rules, sessions, self.kills.protected()) {
            if let Some((_, victims)) = chosen.get_mut(at).filter(|_| !guard.is_backed_off(&session)) {
                victims.push(session);
            }
        }
        chosen.retain(|(_, victims)| !victims.is_empty());
        chosen
    }

    /// Kills the victims of the tasks that still run. A task may have been stopped during the read.
    async fn kill_victims(
        &self,
        chosen: Vec<TaskVictims>,
        read: &ProcessListRead,
        guard: &TickGuard,
    ) -> Result<(), KillError> {
        if chosen.is_empty() {
            return Ok(());
        }
        let to_run = self.store.leased_kill_tasks(&self.rounds.instance_id, &self.worker).await?;
        for (task, victims) in chosen {
            let limits = self.remaining_limits();
            if !to_run.contains(&task.id) || limits.read_timeout.is_zero() {
                continue;
            }
            let login =
                Login::request(&self.store, &self.node.id, LoginCause::Automatic).await.map_err(KillError::Node)?;
            let outcomes = match self.kills.execute(self.kill_order(&task, read), victims.clone(), limits).await {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    if let KillError::Node(failure) = &error {
                        login.record(&self.node, Some(failure)).await;
                        for victim in &victims {
                            guard.back_off(victim);
                        }
                    }
                    return Err(error);
                }
            };
            for (victim, (_, outcome)) in victims.iter().zip(&outcomes) {
                if remains_eligible(victim, outcome) {
                    guard.back_off(victim);
                }
            }
            if let Some(failure) = outcomes.into_iter().find_map(|(_, outcome)| kill_failure(outcome)) {
                return Err(KillError::Node(failure));
            }
        }
        Ok(())
    }

    fn kill_order(&self, task: &KillTask, read: &ProcessListRead) -> KillRequest {
        KillRequest {
            origin: Origin::clew(),
            project_id: self.rounds.project_id.clone(),
            instance_id: self.rounds.instance_id.clone(),
            node_id: self.node.id.clone(),
            url: self.node.url.clone(),
            source: KillSource::Task,
            task_id: Some(task.id.to_string()),
            kind: KillKind::Connection,
            // The rule selected the session by the age of its statement: a session with another statement is spared.
            victim_match: VictimMatch::Statement,
            unsafe_victims: if task.criteria.include_unsafe { UnsafeVictims::Kill } else { UnsafeVictims::Spare },
            reason: format!("kill task {}", task.id),
            list_read: read.clone(),
        }
    }

    /// Returns the limits of the node, shortened to the remaining lease.
    fn remaining_limits(&self) -> Limits {
        let remaining = self.lease_end.saturating_duration_since(Instant::now());
        // Whole milliseconds, because messages show the limit.
        let remaining = Duration::from_millis(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX));
        let node = self.limits.read_timeout.min(remaining);
        Limits { read_timeout: node, connect_timeout: self.limits.connect_timeout.min(node), ..self.limits }
    }
}

/// Returns true if the next tick would select the session again.
///
/// `SET TIMESTAMP` makes an idle session look older than it is. Clew detects this only at the time of the kill.
fn remains_eligible(victim: &Session, outcome: &KillOutcome) -> bool {
    match outcome {
        KillOutcome::Failed(_)
        | KillOutcome::Ending(_)
        | KillOutcome::RollingBack { .. }
        | KillOutcome::Refused(
            Refusal::Unsafe(_) | Refusal::UnreliableAge | Refusal::Proxied | Refusal::AnotherServer,
        ) => true,
        KillOutcome::Refused(Refusal::AnotherStatement) => victim.command.eq_ignore_ascii_case(b"Sleep"),
        _ => false,
    }
}

fn kill_failure(outcome: KillOutcome) -> Option<Failure> {
    if let KillOutcome::Failed(failure) = outcome { Some(failure) } else { None }
}
