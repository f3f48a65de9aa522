//! Polls a node once for all kill tasks: reads the sessions, selects the sessions to kill and kills them.

use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::{KillRule, select_sessions_to_kill};
use clew_model::{AuditOrigin, LimitationKind, Node, Session};
use clew_mysql::{
    ClientSessions, ConnectionPurpose, KillOutcome, KillRefusal, KillTarget, NodeConnector, ProcessListSource,
    UnreliableClockReason, read_client_sessions,
};
use clew_store::{InstanceKillTasks, KillSource, KillTask, LoginTrigger, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::node_state::NodePollGuard;
use crate::adaptive_poll_interval::PollIntervalChange;
use crate::kill_executor::{KillError, KillExecutor, KillRequest, VictimMatchRule, detect_proxied_connection};
use crate::login_backoff::LoginPermit;
use crate::observer::WorkerObserver;

#[derive(Clone)]
pub(super) struct PollContext {
    pub(super) store: Store,
    pub(super) kills: KillExecutor,
    pub(super) observer: Arc<dyn WorkerObserver>,
    pub(super) connector: NodeConnector,
    pub(super) worker: String,
}

pub(super) struct NodePoll {
    pub(super) context: PollContext,
    pub(super) kill_tasks: InstanceKillTasks,
    /// The worker sends no `KILL` statements after this time.
    pub(super) lease_end: Instant,
    pub(super) node: Node,
}

type TaskVictims = (KillTask, Vec<Session>);

impl NodePoll {
    pub(super) async fn run(self, guard: NodePollGuard, shutdown: CancellationToken) {
        let start = std::time::Instant::now();
        let connector = self.cap_timeouts_at_lease_end();
        let login = match LoginPermit::request_permit(&self.context.store, &self.node.id, LoginTrigger::Automatic).await
        {
            Ok(login) => login,
            Err(failure) => return self.log_failure_or_recovery(Err(KillError::Node(failure)), &guard),
        };
        let read = read_client_sessions(&self.node.url, ConnectionPurpose::Reading, &connector);
        let Some(read) = Box::pin(shutdown.run_until_cancelled(read)).await else { return };
        login.record_login_outcome(&self.node, read.as_ref().err()).await;
        // A failed read reports no duration.
        self.adapt_poll_interval(read.as_ref().map_or_else(|_| start.elapsed(), |read| read.duration), &guard);
        let result = match read {
            Ok(listed) => match detect_proxied_connection(&self.node.url, &listed) {
                Some(failure) => Err(KillError::Node(failure)),
                None => match self.filter_sessions_with_reliable_times(listed, &guard) {
                    Some((read, sessions)) => {
                        self.kill_victims(self.select_victims(sessions, &guard), &read, &guard).await
                    }
                    None => Ok(()),
                },
            },
            Err(failure) => Err(KillError::Node(failure)),
        };
        self.log_failure_or_recovery(result, &guard);
    }

    fn log_failure_or_recovery(&self, result: Result<(), KillError>, guard: &NodePollGuard) {
        match result {
            Err(error) if guard.update_failing_flag(true) => {
                warn!(node.id = %self.node.id, %error, "kill tasks failed on a node; retrying");
            }
            Ok(()) if guard.update_failing_flag(false) => {
                info!(node.id = %self.node.id, "kill tasks recovered on a node");
            }
            _ => {}
        }
    }

    /// Returns `None` if the server's clock is unreliable, so that kill tasks kill no sessions.
    fn filter_sessions_with_reliable_times(
        &self,
        mut read: ClientSessions,
        guard: &NodePollGuard,
    ) -> Option<(ProcessListSource, Vec<Session>)> {
        let doubt = guard.adjust_elapsed_times(&mut read);
        let reason = read.limitations.iter().find(|gap| gap.kind == LimitationKind::UnreliableAges);
        let unchecked = read.unchecked.len();
        // A clock step is a single event. The other reasons for doubt persist, for example behind a load balancer.
        let is_persistent =
            matches!(doubt, Some(UnreliableClockReason::Unreadable | UnreliableClockReason::AnotherServer));
        let changed = guard.update_unreliable_ages_flag(is_persistent || (reason.is_some() && unchecked > 0));
        if let Some(gap) = reason.filter(|_| changed && unchecked > 0) {
            warn!(
                node.id = %self.node.id, sessions = unchecked, reason = %gap.why, fix = gap.remedy.as_ref().map(tracing::field::display),
                "kill tasks spared sessions with unreliable elapsed times"
            );
        }
        if let Some(doubt) = doubt {
            if changed || !is_persistent {
                warn!(node.id = %self.node.id, reason = %doubt, "kill tasks skipped a poll of a node");
            }
            return None;
        }
        Some((read.read.clone(), read.into_sessions_with_checked_times()))
    }

    fn adapt_poll_interval(&self, took: Duration, guard: &NodePollGuard) {
        let (change, lengthened_interval) = guard.adapt_to_read_duration(took);
        if lengthened_interval.is_some() || change.is_some() {
            self.context.observer.record_poll_interval_change(&self.node.id, lengthened_interval);
        }
        let node = &self.node.id;
        match change {
            Some(PollIntervalChange::Lengthened(interval)) => info!(
                node.id = %node, read.seconds = took.as_secs_f64(), read.interval_seconds = interval.as_secs_f64(),
                "reads of a node are slow; kill tasks increased the read interval"
            ),
            Some(PollIntervalChange::Restored) => {
                info!(node.id = %node, "reads of a node are fast again; kill tasks restored the read interval");
            }
            None => {}
        }
    }

    /// If several kill tasks match a session, the oldest kill task kills the session.
    fn select_victims(&self, sessions: Vec<Session>, guard: &NodePollGuard) -> Vec<TaskVictims> {
        let rule = |task: &KillTask| KillRule::new(&task.criteria).with_statement_masking(task.masked);
        let rules: Vec<_> = self.kill_tasks.tasks.iter().map(rule).collect();
        let mut chosen: Vec<TaskVictims> =
            self.kill_tasks.tasks.iter().map(|task| (task.clone(), Vec::new())).collect();
        for (at, session) in select_sessions_to_kill(&rules, sessions, self.context.kills.protected_accounts()) {
            if let Some((_, victims)) = chosen.get_mut(at).filter(|_| !guard.is_in_kill_backoff(&session)) {
                victims.push(session);
            }
        }
        chosen.retain(|(_, victims)| !victims.is_empty());
        chosen
    }

    /// Skips kill tasks that were stopped while Clew read the process list.
    async fn kill_victims(
        &self,
        chosen: Vec<TaskVictims>,
        read: &ProcessListSource,
        guard: &NodePollGuard,
    ) -> Result<(), KillError> {
        if chosen.is_empty() {
            return Ok(());
        }
        let to_run = self
            .context
            .store
            .kill_tasks()
            .list_leased_kill_task_ids(&self.kill_tasks.instance_id, &self.context.worker)
            .await?;
        for (task, victims) in chosen {
            let connector = self.cap_timeouts_at_lease_end();
            if !to_run.contains(&task.id) || connector.limits.read_timeout.is_zero() {
                continue;
            }
            let login = LoginPermit::request_permit(&self.context.store, &self.node.id, LoginTrigger::Automatic)
                .await
                .map_err(KillError::Node)?;
            let request = self.build_kill_request(&task, read);
            let outcomes = match self.context.kills.execute_kills(request, victims.clone(), &connector).await {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    if let KillError::Node(failure) = &error {
                        login.record_login_outcome(&self.node, Some(failure)).await;
                        for victim in &victims {
                            guard.record_ineffective_kill(victim);
                        }
                    }
                    return Err(error);
                }
            };
            for (victim, (_, outcome)) in victims.iter().zip(&outcomes) {
                if is_victim_still_eligible(victim, outcome) {
                    guard.record_ineffective_kill(victim);
                }
            }
            for (_, outcome) in outcomes {
                if let KillOutcome::Failed(failure) = outcome {
                    return Err(KillError::Node(failure));
                }
            }
        }
        Ok(())
    }

    fn build_kill_request(&self, task: &KillTask, read: &ProcessListSource) -> KillRequest {
        KillRequest {
            origin: AuditOrigin::for_internal_operation(),
            project_id: self.kill_tasks.project_id.clone(),
            instance_id: self.kill_tasks.instance_id.clone(),
            node_id: self.node.id.clone(),
            url: self.node.url.clone(),
            source: KillSource::Task,
            task_id: Some(task.id.to_string()),
            kind: KillTarget::Connection,
            // The rule selected the session by its elapsed time, so a session that runs another statement is spared.
            victim_match: VictimMatchRule::Statement,
            include_unsafe: task.criteria.include_unsafe,
            reason: format!("kill task {}", task.id),
            list_read: read.clone(),
        }
    }

    fn cap_timeouts_at_lease_end(&self) -> NodeConnector {
        let remaining = self.lease_end.saturating_duration_since(Instant::now());
        // Messages show the limit, so it is rounded to milliseconds.
        let remaining = Duration::from_millis(u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX));
        self.context.connector.with_max_timeout(remaining)
    }
}

/// A session can increase its reported idle time with `SET TIMESTAMP`.
/// Clew verifies the idle time of a selected session only immediately before the kill.
fn is_victim_still_eligible(victim: &Session, outcome: &KillOutcome) -> bool {
    match outcome {
        KillOutcome::Failed(_)
        | KillOutcome::Ending(_)
        | KillOutcome::RollingBack { .. }
        | KillOutcome::Refused(
            KillRefusal::Unsafe(_) | KillRefusal::UnreliableAge | KillRefusal::Proxied | KillRefusal::AnotherServer,
        ) => true,
        KillOutcome::Refused(KillRefusal::AnotherStatement) => victim.is_idle(),
        _ => false,
    }
}
