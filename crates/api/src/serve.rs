//! Accepts connections, enforces connection limits and shuts down gracefully.

mod cert_reload;
mod connection;
mod error;
mod file_fingerprint;
mod lingering_close;
mod per_peer_connection_limit;
mod reserved_connections;
mod tls;
mod write_timeout;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::metrics::ExceededLimit;
use crate::{ApiSettings, Metrics, SharedState, TrustedProxies};
use connection::ConnectionHandler;
pub use error::ServeError;
use per_peer_connection_limit::{PeerSlot, PerPeerConnectionLimit};
use reserved_connections::ConnectionClass;
pub use tls::TlsConfig;

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

/// Delay before retrying `accept` after an error, for example when no file descriptors are free.
const ACCEPT_RETRY_DELAY: std::time::Duration = std::time::Duration::from_millis(100);

/// Serves requests until the `shutdown` token is cancelled, then waits for in-flight requests to finish.
///
/// Returns after [`crate::ApiSettings::shutdown_grace_period`] even if some requests are still in flight.
pub async fn serve(
    service: SharedState,
    listener: impl Into<Listener>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let Listener { tcp, tls } = listener.into();
    let settings = service.settings.clone();
    if settings.max_connections == 0 {
        return Err(ServeError::NoConnections);
    }
    let limits = ConnectionLimits::new(&settings);
    let (metrics, collections, node_watch_registry) =
        (service.metrics.clone(), service.collections.clone(), service.node_watch_registry.clone());
    let handler = Arc::new(ConnectionHandler::new(service.clone(), tls, shutdown.clone()));
    let requests_done = CancellationToken::new();
    let (counting, end) = (service.clone(), requests_done.clone());
    let refusals =
        tokio::spawn(async move { counting.repeated_refusals.run_audit_flush_loop(&counting.store, &end).await });
    let requests_done = requests_done.drop_guard();
    let connections = GracefulShutdown::new();
    loop {
        let (stream, permit) = tokio::select! {
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
        // The peer address is unavailable if the peer has already disconnected.
        let Ok(peer) = stream.peer_addr() else { continue };
        let peer = peer.ip().to_canonical();
        let Some(admitted) = limits.admit_connection(peer, permit, &metrics) else { continue };
        let (handler, watcher) = (handler.clone(), connections.watcher());
        tokio::spawn(async move {
            handler.serve_connection(stream, peer, admitted.admission, watcher).await;
            drop(admitted);
        });
    }
    drop(tcp);
    collections.release_completion_waiters();
    node_watch_registry.shut_down();
    info!(http.connections = connections.count(), "shutdown started; no new connections are accepted");
    if timeout(settings.shutdown_grace_period, connections.shutdown()).await.is_err() {
        warn!("shutdown grace period expired before all responses were sent");
    }
    drop(requests_done);
    if let Err(error) = refusals.await {
        warn!(%error, "cannot record repeated refusals in the audit log");
    }
    Ok(())
}

struct ConnectionLimits {
    regular: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    per_peer: PerPeerConnectionLimit,
    reserved_per_peer: PerPeerConnectionLimit,
}

enum ConnectionPermit {
    Regular(OwnedSemaphorePermit),
    Reserved(OwnedSemaphorePermit),
}

struct AdmittedConnection {
    admission: ConnectionClass,
    _permit: OwnedSemaphorePermit,
    _peer: PeerSlot,
}

impl ConnectionLimits {
    fn new(settings: &ApiSettings) -> Self {
        Self {
            regular: Arc::new(Semaphore::new(settings.max_connections)),
            reserved: Arc::new(Semaphore::new(settings.max_reserved_connections)),
            per_peer: PerPeerConnectionLimit::new(settings.max_connections_per_peer, settings.trusted_proxies.clone()),
            // A peer can use at most a quarter of the reserved connections; proxies are not exempt.
            reserved_per_peer: PerPeerConnectionLimit::new(
                settings.max_reserved_connections.div_ceil(4),
                TrustedProxies::default(),
            ),
        }
    }

    async fn accept_connection(&self, listener: &TcpListener) -> io::Result<(TcpStream, ConnectionPermit)> {
        let permit = tokio::select! {
            biased;
            permit = self.regular.clone().acquire_owned() => permit.map(ConnectionPermit::Regular),
            permit = self.reserved.clone().acquire_owned() => permit.map(ConnectionPermit::Reserved),
        };
        let permit = permit.map_err(io::Error::other)?;
        let (stream, _) = listener.accept().await?;
        // `TCP_NODELAY` sends the last bytes of a response without waiting for an acknowledgement.
        // Errors are ignored because the next read reports a closed connection.
        let _ = stream.set_nodelay(true);
        // A regular permit may have become free in the meantime.
        let permit = match (permit, self.regular.clone().try_acquire_owned()) {
            (ConnectionPermit::Reserved(_), Ok(regular)) => ConnectionPermit::Regular(regular),
            (permit, _) => permit,
        };
        Ok((stream, permit))
    }

    /// Returns `None` if the connection exceeds a connection limit and must be closed.
    fn admit_connection(
        &self,
        peer: IpAddr,
        permit: ConnectionPermit,
        metrics: &Metrics,
    ) -> Option<AdmittedConnection> {
        let reserved = match permit {
            ConnectionPermit::Regular(permit) => {
                if let Some(peer) = self.per_peer.acquire(peer) {
                    return Some(AdmittedConnection {
                        admission: ConnectionClass::Regular,
                        _permit: permit,
                        _peer: peer,
                    });
                }
                metrics.record_rejection_by_limit(ExceededLimit::Connections);
                self.reserved.clone().try_acquire_owned().ok()
            }
            ConnectionPermit::Reserved(permit) => {
                metrics.record_rejection_by_limit(ExceededLimit::AllConnections);
                Some(permit)
            }
        };
        let admitted = reserved.zip(self.reserved_per_peer.acquire(peer)).map(|(permit, peer)| AdmittedConnection {
            admission: ConnectionClass::OperationsOnly,
            _permit: permit,
            _peer: peer,
        });
        if admitted.is_none() {
            debug!(net.peer = %peer, "connection closed because a connection limit is reached");
        }
        admitted
    }
}
