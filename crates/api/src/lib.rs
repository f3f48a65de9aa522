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
mod serve;
mod taurusdb;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use clew_store::Store;
use clew_tasks::{Collections, IntelligentKills, Kills};

use console::stream::Live;

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
}

impl Service {
    /// Nodes that somebody watches.
    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }
}

impl From<Parts> for Service {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(Whole { parts, live: Live::default() }))
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
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Connections of one peer at once (an IPv4 address, a /64 of IPv6); more are closed at once. 0 is no limit. Trusted proxies may
    /// have any number.
    pub connections_per_peer: usize,
    /// Who is believed about the address of a client.
    pub trusted_proxies: TrustedProxies,
    /// For answers under way when the server stops.
    pub grace: Duration,
    /// How long a token is good (spec section 3.2: 24 hours).
    pub token_life: Duration,
    /// Whether only health and counts are answered for: who asks for more is told that there is no such API.
    pub operations_only: bool,
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
            connections_per_peer: 256,
            trusted_proxies: TrustedProxies::default(),
            grace: Duration::from_secs(30),
            token_life: Duration::from_hours(24),
            operations_only: false,
        }
    }
}
