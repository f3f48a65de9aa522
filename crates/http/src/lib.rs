//! HTTP/1.1 server for axum routers, with modules that process requests and build responses.
//!
//! - `server` accepts connections, limits them and shuts down gracefully; `tls` reloads certificates.
//! - `client_addr`, `allowed_hosts`, `same_origin`, `cookie` and `request_body` read and validate parts of HTTP requests.
//! - `download` and `embedded_file` build responses with entity tags, ranges and compression.
//! - `keyed_rate_limiter`, `keyed_concurrency_limiter` and `keyed_mutex` limit requests per key, such as a user or a client subnet.
//!
//! The crate `clew-api`, which depends on this crate, defines the metrics and the bodies of error responses.
//! `docs/decisions/0056-http-crate.md` compares the server with the servers of axum, hyper-util and axum-server.

mod allowed_hosts;
mod client_addr;
mod cookie;
mod detach_on_drop_future;
mod download;
mod embedded_file;
mod error;
mod keyed_concurrency_limiter;
mod keyed_mutex;
mod keyed_rate_limiter;
mod long_poll;
mod request_body;
mod same_origin;
mod security_headers;
mod server;
mod tls;

pub use allowed_hosts::AllowedHosts;
pub use client_addr::{ClientAddr, ClientSubnet, TrustedProxies, base_url_from_request};
pub use cookie::HostPrefixedCookie;
pub use detach_on_drop_future::DetachOnDropFuture;
pub use download::{Download, FileStream};
pub use embedded_file::EmbeddedFile;
pub use error::{RequestBodyError, ServeError};
pub use keyed_concurrency_limiter::{ConcurrencySlotGuard, KeyedConcurrencyLimiter};
pub use keyed_mutex::KeyedMutex;
pub use keyed_rate_limiter::KeyedRateLimiter;
pub use long_poll::{LongPollTimeout, has_prefer_header};
pub use request_body::read_request_body;
pub use same_origin::is_same_origin_request;
pub use security_headers::{add_page_security_headers, add_security_headers};
pub use server::{
    ConnectionObserver, ConnectionSettings, ExceededConnectionLimit, Listener, ReservedConnectionMarker, serve,
};
pub use tls::TlsConfig;
