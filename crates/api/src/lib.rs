//! The HTTP side of Clew.
//!
//! The TaurusDB API exactly as the cloud speaks it (`taurusdb/`), the identity API that its SDKs need (`iam/`), and what
//! operators need (`ops/`). A handler parses, asks the crates below, and answers; it decides nothing by itself: who may do
//! what is `clew_iam::decision`, when a collection runs is `clew_tasks`.
//!
//! Not for: how a database server is read, or keeping anything.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, sync::Arc};
//! use clew_api::{ApiSettings, Metrics, NodeReads, Parts, RateLimits, Rates, Service};
//! use clew_tasks::{Collections, IntelligentKills, Kills, Settings};
//! use tokio_util::sync::CancellationToken;
//!
//! let store = clew_store::Store::open(Path::new("clew-data")).await?;
//! let metrics = Metrics::default();
//! let collections = Collections::new(store.clone(), Settings::default(), Arc::new(metrics.clone()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8407").await?;
//! let limits = RateLimits::new(Rates::default(), metrics.clone());
//! let (settings, nodes) = (ApiSettings::default(), NodeReads::default());
//! let kills = Kills::new(store.clone(), Default::default());
//! let intelligent_kills = IntelligentKills::new(store.clone(), kills.clone(), &Settings::default());
//! let parts = Parts { store, collections, nodes, kills, intelligent_kills, settings, limits, metrics };
//! clew_api::serve(Service::from(parts), listener, CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod administration;
mod allowed_hosts;
mod audit;
mod authentication;
mod body;
mod caller;
mod carried_on;
mod connection;
mod console;
mod description;
mod download;
mod envelope;
mod grants;
mod iam;
mod json;
mod kill_risks;
mod limits;
mod messages;
mod nodes;
mod operations;
mod ops;
mod page;
mod passwords;
mod prefer;
mod query;
mod refusal;
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
use clew_tasks::{Collections, IntelligentKills, Kills};

use audit::RepeatedRefusals;
use console::stream::Live;
use grants::Grants;
use iam::attempt_locks::AttemptLocks;
use limits::keyed_slots::{KeyedSlots, Slot};
use ops::metrics::Limit;
use refusal::Refusal;
use taurusdb::listed_servers::ListedServers;

pub use allowed_hosts::AllowedHosts;
pub use connection::{Connection, TrustedProxies};
pub use limits::{RateLimits, Rates};
pub use nodes::NodeReads;
pub use ops::metrics::Metrics;
pub use routes::openapi_json;
pub use serve::{Listener, ServeError, Tls, serve};

/// What the API works with. Every request takes some clones, so they are cheap: they share everything.
#[derive(Debug, Clone)]
pub struct Service(Arc<Whole>);

/// The parts, and what is made of them as requests come.
#[derive(Debug)]
struct Whole {
    parts: Parts,
    live: Live,
    streams: Arc<KeyedSlots<UserId>>,
    long_polls: Arc<KeyedSlots<UserId>>,
    refusals: RepeatedRefusals,
    grants: Grants,
    attempt_locks: AttemptLocks,
    listed_servers: ListedServers,
}

impl Service {
    /// The policies that reach each user.
    pub(crate) fn grants(&self) -> &Grants {
        &self.0.grants
    }

    /// The servers in the latest lists of sessions.
    pub(crate) fn listed_servers(&self) -> &ListedServers {
        &self.0.listed_servers
    }

    /// Order among password checks.
    pub(crate) fn attempt_locks(&self) -> &AttemptLocks {
        &self.0.attempt_locks
    }

    /// A slot for an event stream of a principal, or a refusal where they have as many as one may have.
    pub(crate) fn stream_slot(&self, user: &UserId) -> Result<Slot<UserId>, Refusal> {
        self.slot(&self.0.streams, user, Limit::Streams, "too-many-streams")
    }

    /// A slot for a request of a principal that waits for something to happen.
    pub(crate) fn long_poll_slot(&self, user: &UserId) -> Result<Slot<UserId>, Refusal> {
        self.slot(&self.0.long_polls, user, Limit::LongPolls, "too-many-long-polls")
    }

    fn slot(
        &self,
        slots: &Arc<KeyedSlots<UserId>>,
        user: &UserId,
        limit: Limit,
        message: &'static str,
    ) -> Result<Slot<UserId>, Refusal> {
        slots.acquire(user.clone()).ok_or_else(|| {
            self.metrics.over_limit(limit);
            Refusal::too_many_at_once(message, slots.limit())
        })
    }

    /// Nodes that somebody watches.
    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    /// Refusals that are counted for the audit.
    pub(crate) fn refusals(&self) -> &RepeatedRefusals {
        &self.0.refusals
    }
}

impl From<Parts> for Service {
    fn from(parts: Parts) -> Self {
        let streams = KeyedSlots::new(parts.settings.streams_per_principal);
        let long_polls = KeyedSlots::new(parts.settings.long_polls_per_principal);
        let refusals = RepeatedRefusals::new(parts.settings.refusal_window);
        Self(Arc::new(Whole {
            parts,
            live: Live::default(),
            streams,
            long_polls,
            refusals,
            grants: Grants::default(),
            attempt_locks: AttemptLocks::default(),
            listed_servers: ListedServers::default(),
        }))
    }
}

impl Deref for Service {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

/// What a [`Service`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// What is kept.
    pub store: Store,
    /// Where collections are handed in.
    pub collections: Collections,
    /// How nodes are read while somebody waits for the answer.
    pub nodes: NodeReads,
    /// The one way to end sessions.
    pub kills: Kills,
    /// Where intelligent kills are previewed and handed in.
    pub intelligent_kills: IntelligentKills,
    /// Limits on a request.
    pub settings: ApiSettings,
    /// Limits on how often somebody may ask.
    pub limits: RateLimits,
    /// What is counted.
    pub metrics: Metrics,
}

/// Limits of the HTTP side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Longest body of a request, in bytes.
    pub body_limit: usize,
    /// For the head of a request, and for the wait for the next one on a kept connection.
    pub header_read: Duration,
    /// For a whole body, from the moment that somebody reads it.
    pub body_read: Duration,
    /// For a client that reads nothing of its answer; then the connection is given up.
    pub write_stall: Duration,
    /// For an answer to begin.
    pub request: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Connections at once; more are reserved ones.
    pub connections: usize,
    /// Additional connections for operations endpoints: one request to `/healthz`, `/readyz` or `/metrics` each; any other request on
    /// one is refused. 0: excess connections wait in the accept queue.
    pub reserved_connections: usize,
    /// Event streams of one principal at once. 0 is no limit.
    pub streams_per_principal: usize,
    /// Requests of one principal at once that wait for a collection to end (`Prefer: wait`). 0 is no limit.
    pub long_polls_per_principal: usize,
    /// Connections of one peer at once (an IPv4 address, a /64 of IPv6); more are reserved ones, or closed at once. 0 is no limit. Trusted proxies may
    /// have any number.
    pub connections_per_peer: usize,
    /// Who is believed about the address of a client.
    pub trusted_proxies: TrustedProxies,
    /// Hosts that the server answers for.
    pub allowed_hosts: AllowedHosts,
    /// Send HSTS on responses over TLS.
    pub hsts: bool,
    /// For answers under way when the server stops.
    pub grace: Duration,
    /// How long a token is good (spec section 3.2: 24 hours).
    pub token_life: Duration,
    /// Whether only health and counts are answered for: who asks for more is told that there is no such API.
    pub operations_only: bool,
    /// Time from the first refusal of a caller for a reason to the event of the audit that counts the following ones.
    pub refusal_window: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            header_read: Duration::from_secs(10),
            body_read: Duration::from_secs(30),
            write_stall: Duration::from_mins(1),
            request: Duration::from_mins(1),
            handshake: Duration::from_secs(10),
            connections: 1024,
            reserved_connections: 16,
            streams_per_principal: 32,
            long_polls_per_principal: 128,
            connections_per_peer: 256,
            trusted_proxies: TrustedProxies::default(),
            allowed_hosts: AllowedHosts::default(),
            hsts: true,
            grace: Duration::from_secs(30),
            token_life: Duration::from_hours(24),
            operations_only: false,
            refusal_window: Duration::from_mins(1),
        }
    }
}
