//! Accepts connections, enforces connection limits and shuts down gracefully.

mod connection;
mod connection_limits;
mod lingering_close;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::StatusCode;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::client_addr::TrustedProxies;
use crate::error::ServeError;
use crate::tls::TlsConfig;
use connection::ConnectionHandler;
use connection_limits::ConnectionLimits;
pub use connection_limits::{ExceededConnectionLimit, ReservedConnectionMarker};

/// Listening socket, with or without TLS.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsConfig>,
}

impl Listener {
    /// Creates a listener that accepts TLS connections.
    #[must_use]
    pub fn with_tls(tcp: TcpListener, tls: TlsConfig) -> Self {
        Self { tcp, tls: Some(tls) }
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

/// Limits and timeouts of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Timeout for receiving a request head and for idle keep-alive connections.
    pub header_read_timeout: Duration,
    /// Time after which a connection is closed if the client does not read any bytes of the response.
    pub write_timeout: Duration,
    /// Timeout for a TLS handshake.
    pub tls_handshake_timeout: Duration,
    /// Maximum number of regular connections.
    pub max_connections: usize,
    /// Maximum number of reserved connections, in addition to [`Self::max_connections`].
    /// A reserved connection serves only one request. The request has a [`ReservedConnectionMarker`] extension.
    ///
    /// If `max_reserved_connections` is 0, connections beyond [`Self::max_connections`] wait in the kernel's accept queue.
    pub max_reserved_connections: usize,
    /// Maximum number of connections per peer (an IPv4 address or an IPv6 /64 prefix). 0 disables the limit.
    ///
    /// If no reserved connection is available to the peer, the server closes a connection that exceeds the per-peer limit.
    /// Connections from trusted proxies are exempt from the per-peer connection limit.
    pub max_connections_per_peer: usize,
    /// Addresses of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// Maximum time that the server waits for in-progress responses during shutdown.
    pub shutdown_grace_period: Duration,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_mins(1),
            tls_handshake_timeout: Duration::from_secs(10),
            max_connections: 1024,
            max_reserved_connections: 16,
            max_connections_per_peer: 256,
            trusted_proxies: TrustedProxies::default(),
            shutdown_grace_period: Duration::from_secs(30),
        }
    }
}

/// Records metrics about connections over a limit and malformed requests. Implementations must not block.
pub trait ConnectionObserver: Send + Sync {
    /// Called for each connection that exceeds a connection limit.
    fn record_exceeded_connection_limit(&self, limit: ExceededConnectionLimit);
    /// Records a malformed request and the HTTP status code with which the server rejected the request.
    fn record_malformed_request(&self, status: StatusCode);
}

/// `accept` fails repeatedly while the process has no free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves requests until the `shutdown` token is canceled, then waits for in-flight requests to finish.
///
/// Adds [`crate::ClientAddr`] and, on reserved connections, [`ReservedConnectionMarker`] to the request extensions.
/// Returns when [`ConnectionSettings::shutdown_grace_period`] expires, even if some requests are still in flight.
pub async fn serve(
    Listener { tcp, tls }: Listener,
    router: Router,
    settings: ConnectionSettings,
    observer: Arc<dyn ConnectionObserver>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    if settings.max_connections == 0 {
        return Err(ServeError::NoConnections);
    }
    let limits = ConnectionLimits::new(&settings);
    let grace_period = settings.shutdown_grace_period;
    let router = TowerToHyperService::new(router);
    let handler = ConnectionHandler { router, tls, settings, observer: observer.clone(), shutdown: shutdown.clone() };
    let handler = Arc::new(handler);
    let connections = TaskTracker::new();
    loop {
        let (stream, peer, class, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = limits.accept_connection(&tcp) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept a connection; the server retries");
                    sleep(ACCEPT_RETRY_DELAY).await;
                    continue;
                }
            },
        };
        let Some(slot) = limits.acquire_connection_slot(peer, class, permit, &*observer) else { continue };
        let handler = handler.clone();
        connections.spawn(async move {
            handler.serve_connection(stream, peer, slot.class).await;
            drop(slot);
        });
    }
    drop(tcp);
    connections.close();
    info!(http.connections = connections.len(), "shutdown started; no new connections are accepted");
    if timeout(grace_period, connections.wait()).await.is_err() {
        warn!("shutdown grace period expired before all responses were sent");
    }
    Ok(())
}
