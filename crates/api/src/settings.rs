//! Limits of the HTTP server.

use std::time::Duration;

use crate::allowed_hosts::AllowedHosts;
use crate::client_addr::TrustedProxies;

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
