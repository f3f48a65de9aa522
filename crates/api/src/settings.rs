//! Limits of the HTTP server.

use std::time::Duration;

use clew_http::{AllowedHosts, ConnectionSettings};
use clew_iam::signature::SignatureCoverage;

/// Limits of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Connection limits, including the number of connections reserved for `/healthz`, `/readyz` and `/metrics`.
    pub connections: ConnectionSettings,
    /// Maximum request body size, in bytes.
    pub max_body_bytes: usize,
    /// Timeout for receiving a complete request body.
    pub body_read_timeout: Duration,
    /// Timeout for the start of a response.
    pub request_timeout: Duration,
    /// Maximum number of open event streams per principal. 0 disables the limit.
    pub max_streams_per_principal: usize,
    /// Maximum number of concurrent long polls (`Prefer: wait`) per principal. 0 disables the limit.
    pub max_long_polls_per_principal: usize,
    /// Accepted values of the `Host` header.
    pub allowed_hosts: AllowedHosts,
    /// True if responses over TLS contain the `Strict-Transport-Security` header.
    pub hsts: bool,
    /// Parts of a signed request that its signature must cover.
    pub signature_coverage: SignatureCoverage,
    /// Lifetime of a token. The TaurusDB API spec (section 3.2) requires 24 hours.
    pub token_lifetime: Duration,
    /// True for a process, such as `clew worker`, that serves only the health and metrics endpoints.
    pub operations_only: bool,
    /// Time window in which repeated refusals of a caller for the same reason are combined into one audit event.
    pub refusal_count_window: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            connections: ConnectionSettings::default(),
            max_body_bytes: 1 << 20,
            body_read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_mins(1),
            max_streams_per_principal: 32,
            max_long_polls_per_principal: 128,
            allowed_hosts: AllowedHosts::default(),
            hsts: true,
            signature_coverage: SignatureCoverage::default(),
            token_lifetime: Duration::from_hours(24),
            operations_only: false,
            refusal_count_window: Duration::from_mins(1),
        }
    }
}
