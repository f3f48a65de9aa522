//! Periodically samples a node's sessions for live session lists, and shares the samples with all subscribers.
//!
//! Keeps the session list of a node for a short time after the last subscriber disconnects.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clew_model::{Failure, FailureKind, InstanceId, NodeId};
use clew_mysql::{NodeConnector, SampleCache, SessionSample, take_session_sample};
use clew_store::{LoginTrigger, Store};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use uuid::Uuid;

use crate::adaptive_poll_interval::{AdaptivePollInterval, PollIntervalChange};
use crate::login_backoff::LoginPermit;
use crate::node_reader::require_reachable_network_zone;

/// Reconnecting clients can resume their streams during this time.
const UNUSED_NODE_WATCH_RETENTION: Duration = Duration::from_secs(30);
const MIN_SESSIONS_FOR_BACKGROUND_RENDERING: usize = 500;

/// Session list of a node. The list is built from samples of the node and rendered for subscribers.
pub trait NodeFeed: Send + 'static {
    /// Creates an empty session list. `watch_id` distinguishes the list from earlier lists of the same node.
    fn new(watch_id: u32) -> Self;

    /// Applies a sample to the session list. `at` is the sample time as a Unix timestamp in milliseconds.
    fn apply_sample(&mut self, at: i64, sample: SessionSample, interval_ms: u64);

    /// Returns the number of applied samples.
    fn version(&self) -> u32;

    /// Returns the number of sessions in the session list.
    fn session_count(&self) -> usize;

    /// Renders a read error as one event for all subscribers. `at` is the time of the error as a Unix timestamp in milliseconds.
    fn render_read_error(at: i64, failure: &Failure) -> Bytes;
}

#[derive(Debug)]
struct NodeWatch<F> {
    instance: InstanceId,
    node: NodeId,
    feed: Mutex<F>,
    subscriptions: Mutex<RequestedSamplingIntervals>,
    subscriptions_changed: Notify,
    updates: watch::Sender<NodeWatchUpdate>,
}

/// Most recent state of a node watch.
#[derive(Debug, Clone, Default)]
pub struct NodeWatchUpdate {
    /// Number of samples of the node's sessions since this node watch started.
    pub version: u32,
    sessions: usize,
    /// Latest read error as a sequence number and an encoded event, or `None` if the last read succeeded.
    pub failure: Option<(u64, Bytes)>,
    failures: u64,
}

#[derive(Debug, Default)]
struct RequestedSamplingIntervals {
    next_id: u64,
    intervals: HashMap<u64, Duration>,
}

/// Subscription to a node's session list. The node is sampled only while at least one subscription exists.
#[derive(Debug)]
pub struct NodeWatchSubscription<F: NodeFeed> {
    watch: Arc<NodeWatch<F>>,
    id: u64,
}

impl<F: NodeFeed> Drop for NodeWatchSubscription<F> {
    fn drop(&mut self) {
        self.watch.subscriptions.lock().intervals.remove(&self.id);
        self.watch.subscriptions_changed.notify_one();
    }
}

impl<F: NodeFeed> NodeWatchSubscription<F> {
    /// Returns a receiver for notifications about new samples and read errors.
    #[must_use]
    pub fn subscribe_to_updates(&self) -> watch::Receiver<NodeWatchUpdate> {
        self.watch.updates.subscribe()
    }

    /// Calls `render` with the node's feed. For a large session list, the call runs on a blocking thread.
    pub async fn render_feed<T: Send + 'static>(
        &self,
        update: &NodeWatchUpdate,
        render: impl Fn(&mut F) -> T + Clone + Send + 'static,
    ) -> T {
        if update.sessions < MIN_SESSIONS_FOR_BACKGROUND_RENDERING {
            return render(&mut self.watch.feed.lock());
        }
        let (watch, render_in_background) = (self.watch.clone(), render.clone());
        let rendered = spawn_blocking(move || render_in_background(&mut watch.feed.lock())).await;
        // The blocking task can fail only while the runtime is shutting down.
        rendered.unwrap_or_else(|_| render(&mut self.watch.feed.lock()))
    }
}

impl<F: NodeFeed> NodeWatch<F> {
    fn new(instance: InstanceId, node: NodeId) -> Arc<Self> {
        let feed = Mutex::new(F::new(Uuid::new_v4().as_fields().0));
        let (subscriptions, subscriptions_changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { instance, node, feed, subscriptions, subscriptions_changed, updates: watch::Sender::default() })
    }

    fn subscribe(self: &Arc<Self>, interval: Duration) -> NodeWatchSubscription<F> {
        let mut subscriptions = self.subscriptions.lock();
        subscriptions.next_id += 1;
        let id = subscriptions.next_id;
        subscriptions.intervals.insert(id, interval);
        self.subscriptions_changed.notify_one();
        NodeWatchSubscription { watch: self.clone(), id }
    }

    fn has_no_subscribers(&self) -> bool {
        self.subscriptions.lock().intervals.is_empty()
    }

    async fn run(
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
            let mut feed = watch.feed.lock();
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
        let rendered = F::render_read_error(at, failure);
        self.updates.send_modify(|update| {
            update.failures += 1;
            update.failure = Some((update.failures, rendered));
        });
    }

    fn min_requested_sampling_interval(&self) -> Option<Duration> {
        self.subscriptions.lock().intervals.values().min().copied()
    }
}

/// Registry of the nodes that this process samples for event streams.
#[derive(Debug)]
pub struct NodeWatchRegistry<F> {
    watches: Mutex<HashMap<NodeId, Arc<NodeWatch<F>>>>,
    shutdown: CancellationToken,
}

impl<F: NodeFeed> NodeWatchRegistry<F> {
    /// Creates an empty registry.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { watches: Mutex::default(), shutdown: CancellationToken::new() })
    }

    /// Subscribes to the samples of a node. The node's first subscriber starts the sampling.
    pub fn subscribe(
        self: &Arc<Self>,
        store: &Store,
        connector: NodeConnector,
        instance: &InstanceId,
        node: &NodeId,
        interval: Duration,
    ) -> NodeWatchSubscription<F> {
        let mut watches = self.watches.lock();
        let watch = watches.entry(node.clone()).or_insert_with(|| {
            let watch = NodeWatch::new(instance.clone(), node.clone());
            let registry = self.clone();
            let remove_if_unused = move |watch: &NodeWatch<F>| registry.remove_if_unused(watch);
            tokio::spawn(watch.clone().run(store.clone(), connector, self.shutdown_token(), remove_if_unused));
            watch
        });
        watch.subscribe(interval)
    }

    /// Holds the lock during the check and the removal, so that [`NodeWatchRegistry::subscribe`] cannot run in between.
    fn remove_if_unused(&self, watch: &NodeWatch<F>) -> bool {
        let mut watches = self.watches.lock();
        let removed = watch.has_no_subscribers();
        if removed {
            watches.remove(&watch.node);
        }
        removed
    }

    /// Returns the token that [`NodeWatchRegistry::shut_down`] cancels.
    #[must_use]
    pub fn shutdown_token(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Stops sampling and ends the event streams of all subscribers.
    pub fn shut_down(&self) {
        self.shutdown.cancel();
    }
}
