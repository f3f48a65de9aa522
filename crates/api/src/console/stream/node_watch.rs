//! Periodically samples a node's sessions and shares the samples with all subscribers.
//!
//! A watch exists while its node has subscribers and for a short time afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clew_model::{Failure, FailureKind, InstanceId, Language, NodeId};
use clew_mysql::{NodeConnector, SampleCache, SessionSample, take_session_sample};
use clew_store::{LoginTrigger, Store};
use clew_worker::{AdaptivePollInterval, LoginPermit, PollIntervalChange, require_reachable_network_zone};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use uuid::Uuid;

use super::feed::{self, FeedPosition, NodeFeed};
use crate::messages::format_failure;

/// Duration for which a watch without subscribers is retained, so that a reconnecting client can resume its stream.
const UNUSED_NODE_WATCH_RETENTION: Duration = Duration::from_secs(30);
const MIN_SESSIONS_FOR_BACKGROUND_RENDERING: usize = 500;

#[derive(Debug)]
pub(super) struct NodeWatch {
    instance: InstanceId,
    node: NodeId,
    feed: Mutex<NodeFeed>,
    subscriptions: Mutex<RequestedSamplingIntervals>,
    subscriptions_changed: Notify,
    updates: watch::Sender<NodeWatchUpdate>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct NodeWatchUpdate {
    /// Number of samples since the node watch started.
    pub(super) version: u32,
    sessions: usize,
    /// Latest read error, as a sequence number and a rendered event; `None` if the last read succeeded.
    pub(super) failure: Option<(u64, Bytes)>,
    failures: u64,
}

#[derive(Debug, Default)]
struct RequestedSamplingIntervals {
    next_id: u64,
    intervals: HashMap<u64, Duration>,
}

/// Subscription to a node's feed. The node is sampled only while its feed has at least one subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    watch: Arc<NodeWatch>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.watch.lock_subscriptions_mutex().intervals.remove(&self.id);
        self.watch.subscriptions_changed.notify_one();
    }
}

impl Subscription {
    pub(super) fn subscribe_to_updates(&self) -> watch::Receiver<NodeWatchUpdate> {
        self.watch.updates.subscribe()
    }

    pub(super) async fn render_events(
        &self,
        update: &NodeWatchUpdate,
        since: Option<FeedPosition>,
        masked: bool,
    ) -> (FeedPosition, Bytes) {
        let watch = self.watch.clone();
        let render = move || watch.lock_node_feed_mutex().render_events(since, masked);
        if update.sessions < MIN_SESSIONS_FOR_BACKGROUND_RENDERING {
            return render();
        }
        let watch = self.watch.clone();
        // The blocking task can fail only while the runtime is shutting down.
        spawn_blocking(render).await.unwrap_or_else(|_| watch.lock_node_feed_mutex().render_events(since, masked))
    }
}

impl NodeWatch {
    pub(super) fn new(instance: InstanceId, node: NodeId) -> Arc<Self> {
        let feed = Mutex::new(NodeFeed::new(Uuid::new_v4().as_fields().0));
        let (subscriptions, subscriptions_changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { instance, node, feed, subscriptions, subscriptions_changed, updates: watch::Sender::default() })
    }

    pub(super) fn node_id(&self) -> &NodeId {
        &self.node
    }

    pub(super) fn subscribe(self: &Arc<Self>, interval: Duration) -> Subscription {
        let mut subscriptions = self.lock_subscriptions_mutex();
        subscriptions.next_id += 1;
        let id = subscriptions.next_id;
        subscriptions.intervals.insert(id, interval);
        self.subscriptions_changed.notify_one();
        Subscription { watch: self.clone(), id }
    }

    pub(super) fn has_no_subscribers(&self) -> bool {
        self.lock_subscriptions_mutex().intervals.is_empty()
    }

    /// Calls `remove_if_unused` when the watch has had no subscribers for [`UNUSED_NODE_WATCH_RETENTION`].
    /// If `remove_if_unused` returns `false`, a client has subscribed in the meantime and sampling resumes.
    pub(super) async fn run(
        self: Arc<Self>,
        store: Store,
        connector: NodeConnector,
        shutdown: CancellationToken,
        remove_if_unused: impl Fn(&Self) -> bool,
    ) {
        debug!(node.id = %self.node, "node watch started");
        let _ = shutdown
            .run_until_cancelled(self.sample_node_until_watch_removed(&store, &connector, &remove_if_unused))
            .await;
        debug!(node.id = %self.node, "node watch stopped");
    }

    async fn sample_node_until_watch_removed(
        self: &Arc<Self>,
        store: &Store,
        connector: &NodeConnector,
        remove_if_unused: &impl Fn(&Self) -> bool,
    ) {
        let (mut sampling_interval, mut cache) = (AdaptivePollInterval::default(), SampleCache::default());
        // The first sample counts as user-requested because a user has just opened the page.
        let mut cause = LoginTrigger::Requested;
        loop {
            let Some(interval) = self.min_requested_sampling_interval() else {
                cause = LoginTrigger::Requested;
                let is_idle =
                    timeout(UNUSED_NODE_WATCH_RETENTION, self.subscriptions_changed.notified()).await.is_err();
                if is_idle && remove_if_unused(self) {
                    return;
                }
                continue;
            };
            sampling_interval.set_target_interval(interval);
            let started_at = Instant::now();
            let outcome = self.sample_node(store, connector, &mut cache, cause).await;
            cause = LoginTrigger::Automatic;
            // A failed sample has no measured duration, so the elapsed time is used instead.
            let duration = outcome.as_ref().map_or_else(|_| started_at.elapsed(), |sample| sample.duration);
            self.update_sampling_interval(&mut sampling_interval, duration);
            match outcome {
                Ok(sample) => self.publish_sample(sample, sampling_interval.current_interval()).await,
                Err(failure) => {
                    cache = SampleCache::default();
                    self.publish_read_error(&failure);
                }
            }
            self.wait_for_next_sample(&mut sampling_interval, started_at).await;
        }
    }

    async fn wait_for_next_sample(&self, sampling_interval: &mut AdaptivePollInterval, started_at: Instant) {
        while let Some(interval) = self.min_requested_sampling_interval() {
            sampling_interval.set_target_interval(interval);
            tokio::select! {
                () = sleep_until(started_at + sampling_interval.current_interval()) => return,
                // A new subscriber may have requested a shorter interval.
                () = self.subscriptions_changed.notified() => {}
            }
        }
    }

    async fn sample_node(
        &self,
        store: &Store,
        connector: &NodeConnector,
        cache: &mut SampleCache,
        cause: LoginTrigger,
    ) -> Result<SessionSample, Failure> {
        let store_failure = |error: clew_store::StoreError| Failure::new(FailureKind::StoreFailed, error.to_string());
        // The node is reloaded for every sample because it may have been modified or removed.
        let node = store.instances().find_node_with_password(&self.node).await.map_err(store_failure)?;
        let node = node.ok_or_else(|| Failure::new(FailureKind::NodeRemoved, self.node.to_string()))?;
        require_reachable_network_zone(store, &node)?;
        let threshold = store
            .instances()
            .find_slow_session_threshold(&self.instance)
            .await
            .map_err(store_failure)?
            .unwrap_or_default();
        let login = LoginPermit::request_permit(store, &node.id, cause).await?;
        let outcome = take_session_sample(&node.url, cache, threshold.seconds(), connector).await;
        login.record_login_outcome(&node, outcome.as_ref().err()).await;
        outcome
    }

    fn update_sampling_interval(&self, sampling_interval: &mut AdaptivePollInterval, duration: Duration) {
        match sampling_interval.adapt_to_read_duration(duration) {
            Some(PollIntervalChange::Lengthened(interval)) => info!(
                node.id = %self.node, sample.seconds = duration.as_secs_f64(),
                sample.interval_seconds = interval.as_secs_f64(),
                "sampling interval lengthened because the node responds slowly"
            ),
            Some(PollIntervalChange::Restored) => {
                info!(node.id = %self.node, "sampling interval restored");
            }
            None => {}
        }
    }

    async fn publish_sample(self: &Arc<Self>, sample: SessionSample, interval: Duration) {
        let at = Timestamp::now().as_millisecond();
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let watch = self.clone();
        let is_large = sample.sessions.len() >= MIN_SESSIONS_FOR_BACKGROUND_RENDERING;
        let apply = move || {
            let mut feed = watch.lock_node_feed_mutex();
            feed.apply_sample(at, sample, interval_ms);
            (feed.version(), feed.session_count())
        };
        let applied = if is_large { spawn_blocking(apply).await } else { Ok(apply()) };
        let Ok((version, sessions)) = applied else { return };
        self.updates
            .send_modify(|update| (update.version, update.sessions, update.failure) = (version, sessions, None));
    }

    fn publish_read_error(&self, failure: &Failure) {
        debug!(node.id = %self.node, %failure, "cannot sample the node");
        let at = Timestamp::now().as_millisecond();
        let mut text = String::new();
        let zh_cn = json!({ "reason": format_failure(Language::ZhCn, failure) });
        let data = json!({ "at": at, "kind": failure.kind.name(), "reason": failure.detail, "zh_cn": zh_cn });
        feed::append_sse_event(&mut text, None, "read-error", &data.to_string());
        self.updates.send_modify(|update| {
            update.failures += 1;
            update.failure = Some((update.failures, text.into()));
        });
    }

    fn min_requested_sampling_interval(&self) -> Option<Duration> {
        self.lock_subscriptions_mutex().intervals.values().min().copied()
    }

    fn lock_node_feed_mutex(&self) -> MutexGuard<'_, NodeFeed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_subscriptions_mutex(&self) -> MutexGuard<'_, RequestedSamplingIntervals> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registry of the nodes that this process samples for event streams. Clones share the same registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeWatchRegistry(Arc<NodeWatchRegistryState>);

#[derive(Debug, Default)]
struct NodeWatchRegistryState {
    watches: Mutex<HashMap<NodeId, Arc<NodeWatch>>>,
    shutdown: CancellationToken,
}

impl NodeWatchRegistry {
    pub(super) fn subscribe(
        &self,
        store: &Store,
        connector: NodeConnector,
        instance: &InstanceId,
        node: &NodeId,
        interval: Duration,
    ) -> Subscription {
        let mut watches = self.0.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(node.clone()).or_insert_with(|| {
            let watch = NodeWatch::new(instance.clone(), node.clone());
            let registry = self.clone();
            let remove_if_unused = move |watch: &NodeWatch| registry.remove_if_unused(watch);
            tokio::spawn(watch.clone().run(store.clone(), connector, self.shutdown_token(), remove_if_unused));
            watch
        });
        watch.subscribe(interval)
    }

    /// Returns `true` if the watch had no subscribers and was removed.
    /// The registry lock prevents [`NodeWatchRegistry::subscribe`] from adding a subscriber during the removal.
    fn remove_if_unused(&self, watch: &NodeWatch) -> bool {
        let mut watches = self.0.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = watch.has_no_subscribers();
        if removed {
            watches.remove(watch.node_id());
        }
        removed
    }

    pub(super) fn shutdown_token(&self) -> CancellationToken {
        self.0.shutdown.clone()
    }

    pub(crate) fn shut_down(&self) {
        self.0.shutdown.cancel();
    }
}
