//! Intelligent kills: durable once asked for, taken up once, never twice. Whom one kills is decided when it runs, by the function that
//! the preview asks.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clew_diagnose::Chosen;
use clew_model::{Failure, FailureKind, InstanceId, Limitation, LimitationKind, Node, NodeUrl, SlowThreshold};
use clew_mysql::{
    ClockDoubt, ClockHistory, Errand, KillKind, KillOutcome, Limits, ListRead, UnsafeVictims, UserSessions,
    read_user_sessions,
};
use clew_store::{IntelligentKill, IntelligentKillId, KillSource, LoginCause, NewIntelligentKill, Store, StoreError};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::hearing::Hearing;
use crate::kills::{KillError, KillOrder, Kills, Meant, indirect};
use crate::logins::Login;
use crate::settings::Settings;

/// One that was asked for longer ago than this is not begun: others may be slow by now than those who were when it was asked for.
const FRESH: Duration = Duration::from_mins(1);
/// Of one node that may wait.
const QUEUE_PER_NODE: u32 = 8;
/// For the store, beyond what the node may take.
const STORE: Duration = Duration::from_mins(1);

/// The intelligent kills of a store. Clones share everything.
#[derive(Clone)]
pub struct IntelligentKills {
    store: Store,
    kills: Kills,
    limits: Limits,
    formula_guard: bool,
    /// One may have become claimable.
    wake: Arc<Notify>,
    look_again: Duration,
    hearing: Hearing,
    clocks: Arc<Mutex<Clocks>>,
}

impl IntelligentKills {
    /// Those of a store, which kill by `kills`.
    #[must_use]
    pub fn new(store: Store, kills: Kills, settings: &Settings) -> Self {
        Self {
            store,
            kills,
            limits: settings.limits,
            formula_guard: settings.formula_guard,
            wake: Arc::default(),
            look_again: settings.look_again,
            hearing: Hearing::default(),
            clocks: Arc::default(),
        }
    }

    /// Lets the worker look, if there is one: another process says that one may be claimable.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// Whether text that a spreadsheet would take for a formula is disarmed in files.
    #[must_use]
    pub fn formula_guard(&self) -> bool {
        self.formula_guard
    }

    /// What one would kill of a node now.
    pub async fn preview(&self, instance: &InstanceId, node: &NodeUrl, limits: Limits) -> Result<Chosen, KillError> {
        Ok(self.choose(instance, node, Errand::Reading, limits).await?.1)
    }

    async fn choose(
        &self,
        instance: &InstanceId,
        node: &NodeUrl,
        errand: Errand,
        limits: Limits,
    ) -> Result<(ListRead, Chosen), KillError> {
        let threshold = self.threshold(instance).await?;
        let mut listed = read_user_sessions(node, errand, &limits).await.map_err(KillError::Node)?;
        if let Some(failure) = indirect(node, &listed) {
            return Err(KillError::Node(failure));
        }
        let doubt = self.clocks.lock().unwrap_or_else(PoisonError::into_inner).check(node, &mut listed);
        if let Some(doubt) = doubt.filter(|_| errand == Errand::Killing) {
            return Err(KillError::Node(doubtful_clock(node, doubt)));
        }
        // Without a single reliable age there is nothing to choose from, and the reason must be known.
        let unreliable = listed.limitations.iter().find(|gap| gap.kind == LimitationKind::UnreliableAges);
        if let Some(gap) =
            unreliable.filter(|_| !listed.sessions.is_empty() && listed.unchecked.len() == listed.sessions.len())
        {
            return Err(KillError::Node(unreliable_ages(node, gap)));
        }
        let read = listed.read.clone();
        let sessions = listed.into_choosable();
        let protected = self.kills.protected().clone();
        // Templates of ten thousand statements are work for a processor.
        let choosing = tokio::task::spawn_blocking(move || Chosen::of(sessions, threshold, &protected));
        match choosing.await {
            Ok(chosen) => Ok((read, chosen)),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(KillError::Store(StoreError::Stopped)),
            },
        }
    }

    async fn threshold(&self, instance: &InstanceId) -> Result<SlowThreshold, StoreError> {
        Ok(self.store.slow_threshold(instance).await?.unwrap_or_default())
    }

    /// Queues one and wakes the worker. It is durable once this returns.
    ///
    /// Fails with [`StoreError::QueueFull`] where too many of the node wait already.
    pub async fn submit(&self, new: &NewIntelligentKill) -> Result<IntelligentKillId, StoreError> {
        let id = self.store.insert_intelligent_kill(new, QUEUE_PER_NODE).await?;
        self.wake.notify_one();
        Ok(id)
    }

    /// Carries them out until `shutdown`. What was begun by then is ended: each has its limits.
    pub async fn run(self, shutdown: CancellationToken) {
        let running = TaskTracker::new();
        let mut store_fails = false;
        while !shutdown.is_cancelled() {
            let begun = self.begin_one(&running).await;
            match &begun {
                // Once, not twice a second.
                Err(error) if !store_fails => warn!(%error, "could not look for intelligent kills; will try again"),
                Ok(_) if store_fails => info!("can look for intelligent kills again"),
                _ => {}
            }
            store_fails = begun.is_err();
            if matches!(begun, Ok(true)) {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.wake.notified() => {}
                () = sleep(self.hearing.pause(self.look_again)) => {}
            }
        }
        running.close();
        running.wait().await;
    }

    /// Whether one was begun.
    async fn begin_one(&self, running: &TaskTracker) -> Result<bool, StoreError> {
        for lost in self.store.end_lost_intelligent_kills(FRESH).await? {
            warn!(intelligent_kill.id = %lost.id, node.id = %lost.asked.node_id, "ended an intelligent kill that was lost");
        }
        // The lease is not renewed: after it the worker is lost.
        let lease = self.limits.node * 2 + STORE;
        let Some(kill) = self.store.claim_intelligent_kill(lease, FRESH).await? else { return Ok(false) };
        let kills = self.clone();
        running.spawn(async move {
            kills.carry_out(kill).await;
            // Another one may wait for the node.
            kills.wake.notify_one();
        });
        Ok(true)
    }

    async fn carry_out(&self, kill: IntelligentKill) {
        let done = self.kill(&kill).await;
        let (victims, reason) = match &done {
            Ok(outcomes) => (outcomes.len() as u64, failures(outcomes)),
            Err(error) => (0, Some(error.to_string())),
        };
        let (id, node) = (kill.id, kill.asked.node_id);
        match self.store.end_intelligent_kill(id, reason.as_deref(), victims).await {
            Ok(true) => {
                info!(intelligent_kill.id = %id, node.id = %node, kills.victims = victims, reason, "an intelligent kill");
            }
            Ok(false) => warn!(intelligent_kill.id = %id, node.id = %node, "an intelligent kill took too long"),
            Err(error) => error!(intelligent_kill.id = %id, %error, "could not record the end of an intelligent kill"),
        }
    }

    async fn kill(&self, kill: &IntelligentKill) -> Result<Vec<(u64, KillOutcome)>, KillError> {
        let asked = &kill.asked;
        let Some(node) = self.store.node_to_read(&asked.node_id).await? else {
            return Err(KillError::Store(StoreError::Unknown { what: "node", name: asked.node_id.to_string() }));
        };
        let choosing = self.choose(&asked.instance_id, &node.url, Errand::Killing, self.limits);
        let (read, chosen) = self.with_login(&node, Box::pin(choosing)).await?;
        let victims = chosen.into_victims();
        let order = KillOrder {
            by: asked.by.clone(),
            project_id: asked.project_id.clone(),
            instance_id: asked.instance_id.clone(),
            node_id: asked.node_id.clone(),
            url: node.url.clone(),
            source: KillSource::Intelligent,
            task_id: Some(kill.id.to_string()),
            kind: KillKind::Connection,
            meant: Meant::Statement,
            // No request of the API opts in.
            unsafe_victims: UnsafeVictims::Spare,
            reason: "intelligent kill".to_owned(),
            read,
        };
        self.with_login(&node, Box::pin(self.kills.carry_out(order, victims, self.limits))).await
    }

    /// Does `work`, which signs in at the node, with the back-off that requests of users share.
    async fn with_login<T>(
        &self,
        node: &Node,
        work: impl Future<Output = Result<T, KillError>>,
    ) -> Result<T, KillError> {
        let login = Login::request(&self.store, &node.id, LoginCause::Requested).await.map_err(KillError::Node)?;
        let done = work.await;
        match &done {
            Ok(_) => login.record(node, None).await,
            Err(KillError::Node(failure)) => login.record(node, Some(failure)).await,
            // The node may not have been reached.
            Err(KillError::Store(_)) => {}
        }
        done
    }
}

/// Clocks of the nodes that were read most recently.
#[derive(Debug, Default)]
struct Clocks(VecDeque<(String, ClockHistory)>);

impl Clocks {
    /// Largest number of nodes.
    const MAX_NODES: usize = 1024;

    /// Compares the clock of a node with earlier readings, and corrects ages. Returns why no kill may follow, if none may.
    fn check(&mut self, node: &NodeUrl, read: &mut UserSessions) -> Option<ClockDoubt> {
        let address = node.address();
        let known = self.0.iter().position(|(known, _)| *known == address);
        let (_, mut history) = known.and_then(|at| self.0.remove(at)).unwrap_or_default();
        let doubt = read.check_clock(&mut history);
        self.0.push_back((address, history));
        if self.0.len() > Self::MAX_NODES {
            self.0.pop_front();
        }
        doubt
    }
}

fn doubtful_clock(node: &NodeUrl, doubt: ClockDoubt) -> Failure {
    let address = node.address();
    let detail =
        format!("{address}: ages are not reliable, so that nothing was killed: {doubt}. fix: preview again, then kill");
    Failure::new(FailureKind::ServerError, detail)
}

fn unreliable_ages(node: &NodeUrl, gap: &Limitation) -> Failure {
    let fix = gap.remedy.as_ref().map_or_else(String::new, |remedy| format!(" fix: {remedy}"));
    let detail =
        format!("{}: no age of a session is reliable, so that none may be chosen. {}{fix}", node.address(), gap.why);
    Failure::new(FailureKind::ServerError, detail)
}

/// Why some of the chosen sessions were not killed.
fn failures(outcomes: &[(u64, KillOutcome)]) -> Option<String> {
    let failed = |(id, outcome): &(u64, KillOutcome)| match outcome {
        KillOutcome::Failed(failure) => Some((*id, failure.to_string())),
        _ => None,
    };
    let failed: Vec<(u64, String)> = outcomes.iter().filter_map(failed).collect();
    let (id, why) = failed.first()?;
    Some(format!("{} of {} sessions were not killed; session {id}: {why}", failed.len(), outcomes.len()))
}

impl fmt::Debug for IntelligentKills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntelligentKills").field("limits", &self.limits).finish_non_exhaustive()
    }
}
