//! The accept loop: limits on connections, on the head of a request, on clients that stop reading, and on the end. What becomes of
//! one connection stands in `serve/conversation.rs`.

mod conversation;
mod error;
mod head;
mod linger;
mod per_peer_limit;
mod refused;
mod reload;
mod reserved;
mod stall;
mod tls;
mod trace;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::ops::metrics::Limit;
use crate::{ApiSettings, Metrics, Service, TrustedProxies};
use conversation::Host;
pub use error::ServeError;
use per_peer_limit::{PeerSlot, PerPeerLimit};
use reserved::Admission;
pub use tls::Tls;

/// Where connections come in, with TLS or without.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Every connection begins with a TLS handshake.
    #[must_use]
    pub fn with_tls(tcp: TcpListener, tls: Tls) -> Self {
        Self { tcp, tls: Some(tls) }
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

/// How long to wait after a connection could not be accepted: mostly the process has no file descriptor left.
const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

/// Serves until `shutdown`, then lets answers under way end, but no longer than [`crate::ApiSettings::grace`].
pub async fn serve(
    service: Service,
    listener: impl Into<Listener>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let Listener { tcp, tls } = listener.into();
    let settings = service.settings.clone();
    if settings.connections == 0 {
        return Err(ServeError::NoConnections);
    }
    let gate = Gate::new(&settings);
    let (metrics, collections, live) = (service.metrics.clone(), service.collections.clone(), service.live().clone());
    let host = Arc::new(Host::new(service.clone(), tls, shutdown.clone()));
    let end_of_requests = CancellationToken::new();
    let (counting, end) = (service.clone(), end_of_requests.clone());
    let refusals = tokio::spawn(async move { counting.refusals().run(&counting.store, &end).await });
    let end_of_requests = end_of_requests.drop_guard();
    let connections = GracefulShutdown::new();
    loop {
        let (stream, permit) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = gate.accept(&tcp) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "could not accept a connection; will try again");
                    sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            },
        };
        // A peer that is gone already has no address.
        let Ok(peer) = stream.peer_addr() else { continue };
        let peer = peer.ip().to_canonical();
        let Some(admitted) = gate.admit(peer, permit, &metrics) else { continue };
        let (host, watcher) = (host.clone(), connections.watcher());
        tokio::spawn(async move {
            host.converse(stream, peer, admitted.admission, watcher).await;
            drop(admitted);
        });
    }
    drop(tcp);
    collections.end_waits();
    live.end();
    info!(http.connections = connections.count(), "stopping: no more connections are taken");
    if timeout(settings.grace, connections.shutdown()).await.is_err() {
        warn!("answers were still under way at the end");
    }
    drop(end_of_requests);
    if let Err(error) = refusals.await {
        warn!(%error, "could not record repeated refusals in the audit");
    }
    Ok(())
}

/// What connections may be open at the same time.
struct Gate {
    regular: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    per_peer: PerPeerLimit,
    reserved_per_peer: PerPeerLimit,
}

/// A connection that counts for one of the limits.
enum Permit {
    Regular(OwnedSemaphorePermit),
    Reserved(OwnedSemaphorePermit),
}

/// A connection that is served, and what it holds until it ends.
struct Admitted {
    admission: Admission,
    _permit: OwnedSemaphorePermit,
    _peer: PeerSlot,
}

impl Gate {
    fn new(settings: &ApiSettings) -> Self {
        Self {
            regular: Arc::new(Semaphore::new(settings.connections)),
            reserved: Arc::new(Semaphore::new(settings.reserved_connections)),
            per_peer: PerPeerLimit::new(settings.connections_per_peer, settings.trusted_proxies.clone()),
            // One peer must not hold all of the reserved ones, and a proxy needs no more of them than any other peer.
            reserved_per_peer: PerPeerLimit::new(settings.reserved_connections.div_ceil(4), TrustedProxies::default()),
        }
    }

    /// A connection and its permit, once there is one.
    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, Permit)> {
        let permit = tokio::select! {
            biased;
            permit = self.regular.clone().acquire_owned() => permit.map(Permit::Regular),
            permit = self.reserved.clone().acquire_owned() => permit.map(Permit::Reserved),
        };
        let permit = permit.map_err(io::Error::other)?;
        let (stream, _) = listener.accept().await?;
        // The last bytes of an answer do not wait until the peer has acknowledged those before. An error here is ignored: the next read
        // reports a closed peer.
        let _ = stream.set_nodelay(true);
        // Another connection may have ended in the meantime.
        let permit = match (permit, self.regular.clone().try_acquire_owned()) {
            (Permit::Reserved(_), Ok(regular)) => Permit::Regular(regular),
            (permit, _) => permit,
        };
        Ok((stream, permit))
    }

    /// Decides what a connection of this peer serves. Nothing for one that is closed.
    fn admit(&self, peer: IpAddr, permit: Permit, metrics: &Metrics) -> Option<Admitted> {
        let reserved = match permit {
            Permit::Regular(permit) => {
                if let Some(peer) = self.per_peer.acquire(peer) {
                    return Some(Admitted { admission: Admission::Regular, _permit: permit, _peer: peer });
                }
                metrics.over_limit(Limit::Connections);
                self.reserved.clone().try_acquire_owned().ok()
            }
            Permit::Reserved(permit) => {
                metrics.over_limit(Limit::AllConnections);
                Some(permit)
            }
        };
        let admitted = reserved.zip(self.reserved_per_peer.acquire(peer)).map(|(permit, peer)| Admitted {
            admission: Admission::OperationsOnly,
            _permit: permit,
            _peer: peer,
        });
        if admitted.is_none() {
            debug!(net.peer = %peer, "closed a connection: the peer has too many, or all are in use");
        }
        admitted
    }
}
