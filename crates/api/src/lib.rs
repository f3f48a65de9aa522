//! Clew's HTTP server.
//!
//! - `taurusdb/` implements the wire-compatible TaurusDB API.
//! - `iam/` implements the identity API that the Huawei Cloud SDKs require.
//! - `administration/` and `console/` implement Clew's own API and serve the web page.
//! - `ops/` implements the endpoints for health checks, metrics and the OpenAPI document.
//!
//! Each handler parses the request, calls the lower-level crates and builds the response.
//! `clew_iam::decision` evaluates policies, and `clew_worker` schedules collection tasks.
//! `clew_mysql` queries the MySQL servers, and `clew_store` stores metadata and results.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, sync::Arc};
//! use clew_api::{ApiSettings, AppComponents, AppState, Metrics, NodeReadLimits, RateLimits, RateLimitSettings};
//! use clew_worker::{SessionCollectionQueue, IntelligentKillQueue, KillExecutor, WorkerSettings};
//! use tokio_util::sync::CancellationToken;
//!
//! let store = clew_store::Store::open(Path::new("clew-data")).await?;
//! let metrics = Metrics::default();
//! let collections = SessionCollectionQueue::new(store.clone(), WorkerSettings::default(), Arc::new(metrics.clone()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8407").await?;
//! let limits = RateLimits::new(RateLimitSettings::default(), metrics.clone());
//! let (settings, node_reads) = (ApiSettings::default(), NodeReadLimits::default());
//! let kills = KillExecutor::new(store.clone(), Default::default());
//! let intelligent_kills = IntelligentKillQueue::new(store.clone(), kills.clone(), &WorkerSettings::default());
//! let parts = AppComponents { store, collections, node_reads, kills, intelligent_kills, settings, limits, metrics };
//! clew_api::serve(AppState::from(parts), listener, CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod administration;
mod allowed_hosts;
mod audit;
mod audited_operations;
mod authentication;
mod body;
mod caller;
mod client_addr;
mod console;
mod detach_on_drop;
mod download;
mod error;
mod field_errors;
mod iam;
mod json;
mod kill_risks;
mod limits;
mod long_poll;
mod manual_kill;
mod messages;
mod nodes;
mod openapi;
mod ops;
mod pagination;
mod passwords;
mod policy_cache;
mod query_string;
mod request_layer;
mod routes;
mod security_headers;
mod serve;
mod statement_text;
mod taurusdb;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use clew_model::UserId;
use clew_store::Store;
use clew_worker::{IntelligentKillQueue, KillExecutor, SessionCollectionQueue};

use audit::RepeatedRefusalCounter;
use console::stream::NodeWatchRegistry;
use error::ApiError;
use iam::password_check_mutexes::PasswordCheckMutexes;
use limits::keyed_concurrency_limiter::{ConcurrencySlotGuard, KeyedConcurrencyLimiter};
use ops::metrics::ExceededLimit;
use policy_cache::PolicyCache;
use taurusdb::session_list_origins::SessionListOrigins;

pub use allowed_hosts::AllowedHosts;
pub use client_addr::{ClientAddr, TrustedProxies};
pub use limits::{RateLimitSettings, RateLimits};
pub use nodes::NodeReadLimits;
pub use ops::metrics::Metrics;
pub use routes::build_openapi_json;
pub use serve::{Listener, ServeError, TlsConfig, serve};

/// API server state. Clones are cheap because they share a single [`Arc`].
#[derive(Debug, Clone)]
pub struct AppState(Arc<AppStateInner>);

#[derive(Debug)]
struct AppStateInner {
    parts: AppComponents,
    node_watch_registry: NodeWatchRegistry,
    stream_slots: Arc<KeyedConcurrencyLimiter<UserId>>,
    long_poll_slots: Arc<KeyedConcurrencyLimiter<UserId>>,
    repeated_refusals: RepeatedRefusalCounter,
    policy_cache: PolicyCache,
    password_check_mutexes: PasswordCheckMutexes,
    session_list_servers: SessionListOrigins,
}

impl AppState {
    pub(crate) fn policy_cache(&self) -> &PolicyCache {
        &self.0.policy_cache
    }

    pub(crate) fn session_list_servers(&self) -> &SessionListOrigins {
        &self.0.session_list_servers
    }

    pub(crate) fn password_check_mutexes(&self) -> &PasswordCheckMutexes {
        &self.0.password_check_mutexes
    }

    /// Returns an error if the principal already has [`ApiSettings::max_streams_per_principal`] open streams.
    pub(crate) fn acquire_stream_slot(&self, user: &UserId) -> Result<ConcurrencySlotGuard<UserId>, ApiError> {
        self.acquire_user_concurrency_slot(&self.0.stream_slots, user, ExceededLimit::Streams, "too-many-streams")
    }

    /// Returns an error if the principal already has [`ApiSettings::max_long_polls_per_principal`] pending long polls.
    pub(crate) fn acquire_long_poll_slot(&self, user: &UserId) -> Result<ConcurrencySlotGuard<UserId>, ApiError> {
        self.acquire_user_concurrency_slot(
            &self.0.long_poll_slots,
            user,
            ExceededLimit::LongPolls,
            "too-many-long-polls",
        )
    }

    fn acquire_user_concurrency_slot(
        &self,
        slots: &Arc<KeyedConcurrencyLimiter<UserId>>,
        user: &UserId,
        limit: ExceededLimit,
        message: &'static str,
    ) -> Result<ConcurrencySlotGuard<UserId>, ApiError> {
        slots.acquire(user.clone()).ok_or_else(|| {
            self.metrics.record_rejection_by_limit(limit);
            ApiError::concurrency_limit_exceeded_error(message, slots.limit())
        })
    }

    pub(crate) fn node_watch_registry(&self) -> &NodeWatchRegistry {
        &self.0.node_watch_registry
    }

    pub(crate) fn repeated_refusals(&self) -> &RepeatedRefusalCounter {
        &self.0.repeated_refusals
    }
}

impl From<AppComponents> for AppState {
    fn from(parts: AppComponents) -> Self {
        let stream_slots = KeyedConcurrencyLimiter::new(parts.settings.max_streams_per_principal);
        let long_poll_slots = KeyedConcurrencyLimiter::new(parts.settings.max_long_polls_per_principal);
        let repeated_refusals = RepeatedRefusalCounter::new(parts.settings.refusal_count_window);
        Self(Arc::new(AppStateInner {
            parts,
            node_watch_registry: NodeWatchRegistry::default(),
            stream_slots,
            long_poll_slots,
            repeated_refusals,
            policy_cache: PolicyCache::default(),
            password_check_mutexes: PasswordCheckMutexes::default(),
            session_list_servers: SessionListOrigins::default(),
        }))
    }
}

impl Deref for AppState {
    type Target = AppComponents;

    fn deref(&self) -> &AppComponents {
        &self.0.parts
    }
}

/// Components of an [`AppState`].
#[derive(Debug)]
pub struct AppComponents {
    /// Store for metadata and results.
    pub store: Store,
    /// Queue of collection tasks.
    pub collections: SessionCollectionQueue,
    /// Limits of node reads during a request.
    pub node_reads: NodeReadLimits,
    /// Executor for kills.
    pub kills: KillExecutor,
    /// Queue that executes intelligent kills and calculates their previews.
    pub intelligent_kills: IntelligentKillQueue,
    /// Limits of the HTTP server.
    pub settings: ApiSettings,
    /// Rate limits.
    pub limits: RateLimits,
    /// Metrics for the server process.
    pub metrics: Metrics,
}

/// Limits of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Maximum request body size, in bytes.
    pub max_body_bytes: usize,
    /// Timeout for receiving a request head and for idle keep-alive connections.
    pub header_read_timeout: Duration,
    /// Timeout for receiving a complete request body.
    pub body_read_timeout: Duration,
    /// Time after which a connection is closed if the client does not read any bytes of the response.
    pub write_timeout: Duration,
    /// Timeout for the start of a response.
    pub request_timeout: Duration,
    /// Timeout for a TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Maximum number of regular connections.
    pub max_connections: usize,
    /// Number of additional connections reserved for the health and metrics endpoints.
    ///
    /// Each reserved connection serves one request to `/healthz`, `/readyz` or `/metrics` and refuses other requests.
    /// If the number is 0, connections over [`Self::max_connections`] wait in the operating system's accept queue.
    pub max_reserved_connections: usize,
    /// Maximum number of open event streams per principal. 0 disables the limit.
    pub max_streams_per_principal: usize,
    /// Maximum number of concurrent long polls (`Prefer: wait`) per principal. 0 disables the limit.
    pub max_long_polls_per_principal: usize,
    /// Maximum number of connections per peer (an IPv4 address or an IPv6 /64 prefix). 0 disables the limit.
    ///
    /// A connection over the per-peer limit uses a reserved connection slot, or is closed if no reserved slot is free.
    /// Connections from trusted proxies are exempt from the per-peer connection limit.
    pub max_connections_per_peer: usize,
    /// Addresses of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// Accepted values of the `Host` header.
    pub allowed_hosts: AllowedHosts,
    /// True if responses over TLS contain the `Strict-Transport-Security` header.
    pub hsts: bool,
    /// Grace period for in-progress responses when the server shuts down.
    pub shutdown_grace_period: Duration,
    /// Lifetime of a token. The TaurusDB API spec (section 3.2) requires 24 hours.
    pub token_lifetime: Duration,
    /// True for a process, such as `clew worker`, that serves only the health and metrics endpoints.
    pub operations_only: bool,
    /// Time window in which a caller's refused requests with the same reason are combined into one audit event.
    pub refusal_count_window: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            max_body_bytes: 1 << 20,
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            request_timeout: Duration::from_mins(1),
            tls_handshake_timeout: Duration::from_secs(10),
            max_connections: 1024,
            max_reserved_connections: 16,
            max_streams_per_principal: 32,
            max_long_polls_per_principal: 128,
            max_connections_per_peer: 256,
            trusted_proxies: TrustedProxies::default(),
            allowed_hosts: AllowedHosts::default(),
            hsts: true,
            shutdown_grace_period: Duration::from_secs(30),
            token_lifetime: Duration::from_hours(24),
            operations_only: false,
            refusal_count_window: Duration::from_mins(1),
        }
    }
}
