//! State shared by all requests to a server.

use std::sync::Arc;

use clew_http::{ConcurrencySlotGuard, KeyedConcurrencyLimiter, KeyedMutex};
use clew_model::UserId;
use clew_mysql::NodeConnector;
use clew_store::{RepeatedRefusalCounter, Store};
use clew_worker::{IntelligentKillQueue, KillExecutor, NodeWatchRegistry, SessionCollectionQueue, SessionListSources};

use crate::console::stream::SessionEventFeed;
use crate::error::ApiError;
use crate::limits::RateLimiters;
use crate::metrics::{ExceededLimit, Metrics};
use crate::policy_cache::PolicyCache;
use crate::settings::ApiSettings;

/// Components of an [`AppState`].
#[derive(Debug)]
pub struct AppComponents {
    /// Store for metadata and results.
    pub store: Store,
    /// Queue of collection tasks.
    pub collections: SessionCollectionQueue,
    /// Opens connections to nodes. The API and the workers of a process must share one connection registry.
    pub connector: NodeConnector,
    /// Executor for kills.
    pub kills: KillExecutor,
    /// Enqueues intelligent kills and calculates their previews.
    pub intelligent_kills: IntelligentKillQueue,
    /// Limits of the HTTP server.
    pub settings: ApiSettings,
    /// Rate limits.
    pub limits: RateLimiters,
    /// Metrics for the server process.
    pub metrics: Metrics,
}

/// Application state that axum handlers extract.
pub type SharedState = Arc<AppState>;

/// State shared by all requests to a server.
#[derive(Debug)]
pub struct AppState {
    pub(crate) store: Store,
    pub(crate) collections: SessionCollectionQueue,
    pub(crate) connector: NodeConnector,
    pub(crate) kills: KillExecutor,
    pub(crate) intelligent_kills: IntelligentKillQueue,
    pub(crate) settings: ApiSettings,
    pub(crate) limits: RateLimiters,
    pub(crate) metrics: Metrics,
    pub(crate) node_watch_registry: Arc<NodeWatchRegistry<SessionEventFeed>>,
    stream_slots: Arc<KeyedConcurrencyLimiter<UserId>>,
    long_poll_slots: Arc<KeyedConcurrencyLimiter<UserId>>,
    pub(crate) repeated_refusals: RepeatedRefusalCounter,
    pub(crate) policy_cache: PolicyCache,
    /// Mutexes that serialize password checks whose failures count toward the same limit.
    pub(crate) password_check_mutexes: KeyedMutex<String>,
    pub(crate) session_list_sources: SessionListSources,
}

impl AppState {
    /// Creates the state that all request handlers share.
    #[must_use]
    pub fn new(components: AppComponents) -> SharedState {
        let AppComponents { store, collections, connector, kills, intelligent_kills, settings, limits, metrics } =
            components;
        Arc::new(Self {
            store,
            collections,
            connector,
            kills,
            intelligent_kills,
            limits,
            metrics,
            node_watch_registry: NodeWatchRegistry::new(),
            stream_slots: KeyedConcurrencyLimiter::new(settings.max_streams_per_principal),
            long_poll_slots: KeyedConcurrencyLimiter::new(settings.max_long_polls_per_principal),
            repeated_refusals: RepeatedRefusalCounter::new(settings.refusal_count_window),
            policy_cache: PolicyCache::default(),
            password_check_mutexes: KeyedMutex::default(),
            session_list_sources: SessionListSources::default(),
            settings,
        })
    }

    pub(crate) fn acquire_concurrency_slot(
        &self,
        kind: ConcurrencySlotKind,
        user: &UserId,
    ) -> Result<ConcurrencySlotGuard<UserId>, ApiError> {
        let (slots, limit, message) = match kind {
            ConcurrencySlotKind::Stream => (&self.stream_slots, ExceededLimit::EVENT_STREAMS, "too-many-streams"),
            ConcurrencySlotKind::LongPoll => (&self.long_poll_slots, ExceededLimit::LONG_POLLS, "too-many-long-polls"),
        };
        slots.acquire(user.clone()).ok_or_else(|| {
            self.metrics.record_exceeded_limit(limit);
            ApiError::concurrency_limit_exceeded_error(message, slots.max_slots_per_key())
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ConcurrencySlotKind {
    Stream,
    LongPoll,
}
