//! A round: one read of a node for all rules of its instance, and the kills that follow.

use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::{KillRule, victims};
use clew_model::{Failure, LimitationKind, Node, Origin, Session};
use clew_mysql::{
    ClockDoubt, Errand, KillKind, KillOutcome, Limits, ListRead, Refusal, UnsafeVictims, UserSessions,
    read_user_sessions,
};
use clew_store::{KillRounds, KillSource, KillTask, LoginCause, Store};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::nodes::Place;
use crate::kills::{KillError, KillOrder, Kills, Meant, indirect};
use crate::logins::Login;
use crate::observer::Observer;
use crate::pace::PaceChange;

/// Everything that a round needs.
pub(super) struct Round {
    pub(super) store: Store,
    pub(super) kills: Kills,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) limits: Limits,
    pub(super) worker: String,
    pub(super) rounds: KillRounds,
    /// No kill goes out after this: the instance may be another worker's by then.
    pub(super) until: Instant,
    pub(super) node: Node,
}

/// Sessions that a task kills.
type Chosen = (KillTask, Vec<Session>);

impl Round {
    /// Reads, chooses and kills. A failure is logged once for a node: the next round comes in a second.
    pub(super) async fn run(self, place: Place, shutdown: CancellationToken) {
        let seen = std::time::Instant::now();
        let limits = self.limits();
        let login = match Login::request(&self.store, &self.node.id, LoginCause::Automatic).await {
            Ok(login) => login,
            Err(failure) => return self.report(Err(KillError::Node(failure)), &place),
        };
        let look = read_user_sessions(&self.node.url, Errand::Reading, &limits);
        let Some(read) = Box::pin(shutdown.run_until_cancelled(look)).await else { return };
        login.record(&self.node, read.as_ref().err()).await;
        // A read that failed has no duration of its own.
        self.keep_pace(read.as_ref().map_or_else(|_| seen.elapsed(), |read| read.took), &place);
        let ended = match read {
            Ok(listed) => match indirect(&self.node.url, &listed) {
                Some(failure) => Err(KillError::Node(failure)),
                None => match self.with_trusted_ages(listed, &place) {
                    Some((read, sessions)) => self.kill(self.choose(sessions, &place), &read, &place).await,
                    None => Ok(()),
                },
            },
            Err(failure) => Err(KillError::Node(failure)),
        };
        self.report(ended, &place);
    }

    /// Logs that a node fails, once until it no longer does.
    fn report(&self, ended: Result<(), KillError>, place: &Place) {
        match ended {
            Err(error) if place.failing(true) => {
                warn!(node.id = %self.node.id, %error, "kill tasks cannot do their work on a node; they will try again");
            }
            Ok(()) if place.failing(false) => info!(node.id = %self.node.id, "kill tasks work on a node again"),
            _ => {}
        }
    }

    /// The sessions whose ages can be relied on, with their list; nothing where the server's clock cannot be: then the round is skipped.
    fn with_trusted_ages(&self, mut read: UserSessions, place: &Place) -> Option<(ListRead, Vec<Session>)> {
        let doubt = place.check_clock(&mut read);
        let reason = read.limitations.iter().find(|gap| gap.kind == LimitationKind::UnreliableAges);
        let unchecked = read.unchecked.len();
        // A step is an event. The others last, behind a balancer for ever.
        let lasts = matches!(doubt, Some(ClockDoubt::Unreadable | ClockDoubt::AnotherServer));
        let is_news = place.unreliable_ages(lasts || (reason.is_some() && unchecked > 0));
        if let Some(gap) = reason.filter(|_| is_news && unchecked > 0) {
            warn!(
                node.id = %self.node.id, sessions = unchecked, reason = gap.why, fix = gap.remedy,
                "kill tasks spare sessions whose age is not reliable"
            );
        }
        if let Some(doubt) = doubt {
            if is_news || !lasts {
                warn!(node.id = %self.node.id, reason = %doubt, "kill tasks skip a round on a node");
            }
            return None;
        }
        Some((read.read.clone(), read.into_choosable()))
    }

    /// The next look comes so much later that this one was at most a tenth of the time, within bounds.
    fn keep_pace(&self, took: Duration, place: &Place) {
        let (change, slowed) = place.looked(took);
        if slowed.is_some() || change.is_some() {
            self.observer.looks_every(&self.node.id, slowed);
        }
        let node = &self.node.id;
        match change {
            Some(PaceChange::Slowed(interval)) => info!(
                node.id = %node, look.seconds = took.as_secs_f64(), look.interval_seconds = interval.as_secs_f64(),
                "a look at a node takes long; kill tasks look at it less often"
            ),
            Some(PaceChange::Quick) => info!(node.id = %node, "kill tasks look at a node each second again"),
            None => {}
        }
    }

    /// The sessions that each task kills. One that several mean is the oldest task's.
    fn choose(&self, sessions: Vec<Session>, place: &Place) -> Vec<Chosen> {
        let rule = |task: &KillTask| KillRule::new(&task.criteria).masked(task.masked);
        let rules: Vec<_> = self.rounds.tasks.iter().map(rule).collect();
        let mut chosen: Vec<Chosen> = self.rounds.tasks.iter().map(|task| (task.clone(), Vec::new())).collect();
        for (at, session) in victims(&rules, sessions, self.kills.protected()) {
            if let Some((_, of_task)) = chosen.get_mut(at).filter(|_| !place.leaves_alone(&session)) {
                of_task.push(session);
            }
        }
        chosen.retain(|(_, victims)| !victims.is_empty());
        chosen
    }

    /// Kills for those tasks that still run: one may have been stopped during the read.
    async fn kill(&self, chosen: Vec<Chosen>, read: &ListRead, place: &Place) -> Result<(), KillError> {
        if chosen.is_empty() {
            return Ok(());
        }
        let to_run = self.store.kill_tasks_to_run(&self.rounds.instance_id, &self.worker).await?;
        for (task, victims) in chosen {
            let limits = self.limits();
            if !to_run.contains(&task.id) || limits.node.is_zero() {
                continue;
            }
            let login =
                Login::request(&self.store, &self.node.id, LoginCause::Automatic).await.map_err(KillError::Node)?;
            let outcomes = match self.kills.carry_out(self.order(&task, read), victims.clone(), limits).await {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    if let KillError::Node(failure) = &error {
                        login.record(&self.node, Some(failure)).await;
                        for victim in &victims {
                            place.leave_alone(victim);
                        }
                    }
                    return Err(error);
                }
            };
            for (victim, (_, outcome)) in victims.iter().zip(&outcomes) {
                if is_still_there(victim, outcome) {
                    place.leave_alone(victim);
                }
            }
            if let Some(failure) = outcomes.into_iter().find_map(|(_, outcome)| failure_of(outcome)) {
                return Err(KillError::Node(failure));
            }
        }
        Ok(())
    }

    fn order(&self, task: &KillTask, read: &ListRead) -> KillOrder {
        KillOrder {
            by: Origin::clew(),
            project_id: self.rounds.project_id.clone(),
            instance_id: self.rounds.instance_id.clone(),
            node_id: self.node.id.clone(),
            url: self.node.url.clone(),
            source: KillSource::Task,
            task_id: Some(task.id.to_string()),
            kind: KillKind::Connection,
            // A session is chosen for how long it has been at what it does: one that does something else by then is not meant.
            meant: Meant::Statement,
            unsafe_victims: if task.criteria.include_unsafe { UnsafeVictims::Kill } else { UnsafeVictims::Spare },
            reason: format!("kill task {}", task.id),
            read: read.clone(),
        }
    }

    /// What a node may take, but no longer than the lease.
    fn limits(&self) -> Limits {
        let left = self.until.saturating_duration_since(Instant::now());
        // In whole milliseconds: messages show the limit.
        let left = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let node = self.limits.node.min(left);
        Limits { node, connect: self.limits.connect.min(node), ..self.limits }
    }
}

/// Whether the next round would find the session again. The list shows an idle session as older than it is if it set a time of its own: that is
/// detected only when it is about to be killed.
fn is_still_there(victim: &Session, outcome: &KillOutcome) -> bool {
    match outcome {
        KillOutcome::Failed(_)
        | KillOutcome::Ending(_)
        | KillOutcome::RollingBack { .. }
        | KillOutcome::Refused(
            Refusal::Unsafe(_) | Refusal::UnreliableAge | Refusal::Indirect | Refusal::AnotherServer,
        ) => true,
        KillOutcome::Refused(Refusal::AnotherStatement) => victim.command.eq_ignore_ascii_case(b"Sleep"),
        _ => false,
    }
}

fn failure_of(outcome: KillOutcome) -> Option<Failure> {
    if let KillOutcome::Failed(failure) = outcome { Some(failure) } else { None }
}
