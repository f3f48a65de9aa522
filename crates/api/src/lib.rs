//! Clew's HTTP server.
//!
//! - `taurusdb/` implements the wire-compatible TaurusDB API.
//! - `iam/` implements the identity API that the Huawei Cloud SDKs require.
//! - `administration/` and `console/` implement Clew's own API and serve Clew's web page.
//! - `monitoring` implements the endpoints for health checks, metrics and the OpenAPI document.
//!
//! Each handler parses the request, calls the lower-level crates and builds the response.
//! The module `clew_iam::decision` evaluates policies, and the crate `clew_worker` schedules collection tasks.
//! `clew_mysql` queries the MySQL servers, and `clew_store` stores metadata and results.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, sync::Arc};
//! use clew_api::{ApiSettings, AppComponents, AppState, Metrics, RateLimiters, RateLimitSettings};
//! use clew_worker::{SessionCollectionQueue, IntelligentKillQueue, KillExecutor, WorkerSettings};
//! use tokio_util::sync::CancellationToken;
//!
//! let store = clew_store::Store::open(Path::new("clew-data")).await?;
//! let metrics = Metrics::default();
//! let worker_settings = WorkerSettings::default();
//! let collections = SessionCollectionQueue::new(store.clone(), worker_settings.clone(), Arc::new(metrics.clone()));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8407").await?;
//! let limits = RateLimiters::new(RateLimitSettings::default(), metrics.clone());
//! let (settings, connector) = (ApiSettings::default(), worker_settings.connector.clone());
//! let kills = KillExecutor::new(store.clone(), Default::default());
//! let intelligent_kills = IntelligentKillQueue::new(store.clone(), kills.clone(), &worker_settings);
//! let parts = AppComponents { store, collections, connector, kills, intelligent_kills, settings, limits, metrics };
//! clew_api::serve(AppState::new(parts), listener, CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod administration;
mod api_request;
mod audit;
mod audited_operations;
mod authentication;
mod caller;
mod console;
mod download;
mod error;
mod error_responses;
mod field_errors;
mod iam;
mod limits;
mod manual_kill;
mod messages;
mod metrics;
mod monitoring;
mod node_reads;
mod openapi;
mod passwords;
mod policy_cache;
mod query_string;
mod request_body;
mod route_middleware;
mod routes;
mod serve;
mod session_columns;
mod settings;
mod state;
mod statement_text;
mod taurusdb;

pub use limits::{RateLimitSettings, RateLimiters};
pub use metrics::Metrics;
pub use policy_cache::{InvalidStoredPolicy, parse_policy_grant};
pub use routes::build_openapi_json;
pub use serve::serve;
pub use settings::ApiSettings;
pub use state::{AppComponents, AppState, SharedState};
