//! Queue and worker for intelligent kills.
//!
//! An intelligent kill groups slow sessions by SQL template and terminates the sessions in the top groups.
//!
//! A queued intelligent kill survives a restart and is executed at most once.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clew_diagnose::IntelligentKillPlan;
use clew_model::{Failure, FailureKind, InstanceId, Limitation, LimitationKind, Node, NodeUrl};
use clew_mysql::{
    ConnectionPurpose, KillOutcome, KillTarget, NodeClockHistory, NodeConnector, ProcessListSource,
    UnreliableClockReason, read_client_sessions,
};
use clew_store::{
    IntelligentKill, IntelligentKillId, IntelligentKillRequest, KillSource, LoginTrigger, Store, StoreError,
};
use lru::LruCache;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::kill_executor::{KillError, KillExecutor, KillRequest, VictimMatchRule, detect_proxied_connection};
use crate::login_backoff::LoginPermit;
use crate::settings::WorkerSettings;
use crate::task_results::{join_task, log_first_failure};
use crate::wake_signal::WakeSignal;

/// The slow sessions may change while an intelligent kill is queued.
const MAX_KILL_QUEUE_TIME: Duration = Duration::from_mins(1);
const MAX_TRACKED_NODES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);
const MAX_QUEUED_KILLS_PER_NODE: u32 = 8;
const LEASE_MARGIN_FOR_STORE_OPERATIONS: Duration = Duration::from_mins(1);

/// Queue and worker for intelligent kills. Clones share state.
#[derive(Clone)]
pub struct IntelligentKillQueue {
    store: Store,
    kills: KillExecutor,
    connector: NodeConnector,
    formula_guard: bool,
    pub(crate) wake: WakeSignal,
    poll_interval: Duration,
    clock_histories_by_address: Arc<Mutex<LruCache<String, NodeClockHistory>>>,
}

impl IntelligentKillQueue {
    /// Creates a queue. The queue's worker uses the executor `kills` to kill sessions.
    #[must_use]
    pub fn new(store: Store, kills: KillExecutor, settings: &WorkerSettings) -> Self {
        Self {
            store,
            kills,
            connector: settings.connector.clone(),
            formula_guard: settings.formula_guard,
            wake: WakeSignal::default(),
            poll_interval: settings.poll_interval,
            clock_histories_by_address: Arc::new(Mutex::new(LruCache::new(MAX_TRACKED_NODES))),
        }
    }

    /// Returns true if Clew escapes CSV cells that a spreadsheet would evaluate as a formula.
    #[must_use]
    pub fn is_csv_formula_escaping_enabled(&self) -> bool {
        self.formula_guard
    }

    /// Returns the sessions that an intelligent kill would kill if it started now.
    pub async fn preview_victims(
        &self,
        instance: &InstanceId,
        node: &NodeUrl,
    ) -> Result<IntelligentKillPlan, KillError> {
        Ok(self.select_victims(instance, node, ConnectionPurpose::Reading).await?.1)
    }

    async fn select_victims(
        &self,
        instance: &InstanceId,
        node: &NodeUrl,
        purpose: ConnectionPurpose,
    ) -> Result<(ProcessListSource, IntelligentKillPlan), KillError> {
        let threshold = self.store.instances().find_slow_session_threshold(instance).await?.unwrap_or_default();
        let mut listed = read_client_sessions(node, purpose, &self.connector).await.map_err(KillError::Node)?;
        if let Some(failure) = detect_proxied_connection(node, &listed) {
            return Err(KillError::Node(failure));
        }
        let doubt = {
            let mut histories = self.clock_histories_by_address.lock();
            let history = histories.get_or_insert_mut(node.address(), NodeClockHistory::default);
            listed.adjust_elapsed_times_for_clock_steps(history)
        };
        if let Some(doubt) = doubt.filter(|_| purpose == ConnectionPurpose::Killing) {
            return Err(KillError::Node(unreliable_clock_failure(node, doubt)));
        }
        // If no session has a reliable elapsed time, fail with the reason instead of returning an empty selection.
        let unreliable = listed.limitations.iter().find(|gap| gap.kind == LimitationKind::UnreliableAges);
        if let Some(gap) =
            unreliable.filter(|_| !listed.sessions.is_empty() && listed.unchecked.len() == listed.sessions.len())
        {
            return Err(KillError::Node(unreliable_elapsed_times_failure(node, gap)));
        }
        let read = listed.read.clone();
        let sessions = listed.into_sessions_with_checked_times();
        let protected = self.kills.protected_accounts().clone();
        // CPU-bound: the selection converts up to ten thousand statements to templates.
        let selection =
            tokio::task::spawn_blocking(move || IntelligentKillPlan::from_sessions(sessions, threshold, &protected));
        let chosen = join_task(selection).await.map_err(|_| KillError::Store(StoreError::Stopped))?;
        Ok((read, chosen))
    }

    /// Stores an intelligent kill in the queue and wakes the worker. Queued intelligent kills survive a restart.
    ///
    /// Fails with [`StoreError::QueueFull`] if the node's queue is full.
    pub async fn submit_kill(&self, new: &IntelligentKillRequest) -> Result<IntelligentKillId, StoreError> {
        let id = self.store.kills().insert_intelligent_kill(new, MAX_QUEUED_KILLS_PER_NODE).await?;
        self.wake.wake();
        Ok(id)
    }

    /// Executes intelligent kills until the `shutdown` token is canceled.
    /// After the `shutdown` token is canceled, the worker waits for running kills to complete.
    pub async fn run(self, shutdown: CancellationToken) {
        let running = TaskTracker::new();
        let mut is_failing = false;
        while !shutdown.is_cancelled() {
            let started = self.try_start_next_kill(&running).await;
            log_first_failure!(
                is_failing,
                &started,
                "could not claim queued intelligent kills; retrying",
                "claiming of intelligent kills works again"
            );
            if matches!(started, Ok(true)) {
                continue;
            }
            shutdown.run_until_cancelled(self.wake.wait(self.poll_interval)).await;
        }
        running.close();
        running.wait().await;
    }

    async fn try_start_next_kill(&self, running: &TaskTracker) -> Result<bool, StoreError> {
        for lost in self.store.kills().mark_stale_intelligent_kills_failed(MAX_KILL_QUEUE_TIME).await? {
            warn!(intelligent_kill.id = %lost.id, node.id = %lost.request.node_id, "intelligent kill recorded as lost");
        }
        // The lease is never renewed. After the lease expires, the kill counts as lost.
        let lease = self.connector.limits.read_timeout * 2 + LEASE_MARGIN_FOR_STORE_OPERATIONS;
        let Some(kill) = self.store.kills().claim_intelligent_kill(lease, MAX_KILL_QUEUE_TIME).await? else {
            return Ok(false);
        };
        let kills = self.clone();
        running.spawn(async move {
            kills.execute_intelligent_kill(kill).await;
            // Another kill on the same node may be claimable now.
            kills.wake.wake();
        });
        Ok(true)
    }

    async fn execute_intelligent_kill(&self, kill: IntelligentKill) {
        let result = self.kill_victims(&kill).await;
        let (victims, reason) = match &result {
            Ok(outcomes) => (outcomes.len() as u64, summarize_kill_failures(outcomes)),
            Err(error) => (0, Some(error.to_string())),
        };
        let (id, node) = (kill.id, kill.request.node_id);
        match self.store.kills().finish_intelligent_kill(id, reason.as_deref(), victims).await {
            Ok(true) => {
                info!(
                    intelligent_kill.id = %id, node.id = %node, kills.victims = victims, reason,
                    "intelligent kill completed"
                );
            }
            Ok(false) => warn!(intelligent_kill.id = %id, node.id = %node, "intelligent kill exceeded its time limit"),
            Err(error) => {
                error!(intelligent_kill.id = %id, %error, "could not record the outcome of an intelligent kill");
            }
        }
    }

    async fn kill_victims(&self, kill: &IntelligentKill) -> Result<Vec<(u64, KillOutcome)>, KillError> {
        let request = &kill.request;
        let Some(node) = self.store.instances().find_node_with_password(&request.node_id).await? else {
            return Err(KillError::Store(StoreError::Unknown { what: "node", name: request.node_id.to_string() }));
        };
        let selection = self.select_victims(&request.instance_id, &node.url, ConnectionPurpose::Killing);
        let (read, chosen) = self.run_with_login_backoff(&node, Box::pin(selection)).await?;
        let victims = chosen.into_selected_sessions();
        let kill_request = KillRequest {
            origin: request.by.clone(),
            project_id: request.project_id.clone(),
            instance_id: request.instance_id.clone(),
            node_id: request.node_id.clone(),
            url: node.url.clone(),
            source: KillSource::Intelligent,
            task_id: Some(kill.id.to_string()),
            kind: KillTarget::Connection,
            victim_match: VictimMatchRule::Statement,
            // The API has no option to kill unsafe victims.
            include_unsafe: false,
            reason: "intelligent kill".to_owned(),
            list_read: read,
        };
        let kills = self.kills.execute_kills(kill_request, victims, &self.connector);
        self.run_with_login_backoff(&node, Box::pin(kills)).await
    }

    async fn run_with_login_backoff<T>(
        &self,
        node: &Node,
        work: impl Future<Output = Result<T, KillError>>,
    ) -> Result<T, KillError> {
        let login = LoginPermit::request_permit(&self.store, &node.id, LoginTrigger::Requested)
            .await
            .map_err(KillError::Node)?;
        let result = work.await;
        match &result {
            Ok(_) => login.record_login_outcome(node, None).await,
            Err(KillError::Node(failure)) => login.record_login_outcome(node, Some(failure)).await,
            // The node may not have been contacted.
            Err(KillError::Store(_) | KillError::OutcomesNotRecorded(_)) => {}
        }
        result
    }
}

fn unreliable_clock_failure(node: &NodeUrl, doubt: UnreliableClockReason) -> Failure {
    let address = node.address();
    let detail = format!("{address}: elapsed times are not reliable, so no session was killed: {doubt}");
    Failure::with_fix(FailureKind::ServerError, detail, "preview again, then kill")
}

fn unreliable_elapsed_times_failure(node: &NodeUrl, gap: &Limitation) -> Failure {
    let detail =
        format!("{}: no session has a reliable elapsed time, so no victim was selected. {}", node.address(), gap.why);
    match &gap.remedy {
        Some(remedy) => Failure::with_fix(FailureKind::ServerError, detail, &remedy.english),
        None => Failure::new(FailureKind::ServerError, detail),
    }
}

fn summarize_kill_failures(outcomes: &[(u64, KillOutcome)]) -> Option<String> {
    let failed = |(id, outcome): &(u64, KillOutcome)| match outcome {
        KillOutcome::Failed(failure) => Some((*id, failure.to_string())),
        _ => None,
    };
    let failed: Vec<(u64, String)> = outcomes.iter().filter_map(failed).collect();
    let (id, why) = failed.first()?;
    Some(format!("{} of {} sessions were not killed; session {id}: {why}", failed.len(), outcomes.len()))
}

impl fmt::Debug for IntelligentKillQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntelligentKillQueue").field("limits", &self.connector.limits).finish_non_exhaustive()
    }
}
