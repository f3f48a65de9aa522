//! The accept loop: limits on connections, on the head of a request, on clients that stop reading, and on the end. What becomes of
//! one connection stands in `serve/conversation.rs`.

mod conversation;
mod error;
mod head;
mod linger;
mod places;
mod refused;
mod reload;
mod stall;
mod tls;
mod trace;

use std::io;
use std::sync::Arc;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::Service;
use crate::ops::metrics::Limit;
use conversation::Host;
pub use error::ServeError;
use places::Places;
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
    let room = Arc::new(Semaphore::new(settings.connections));
    let places = Arc::new(Places::new(settings.connections_per_peer, settings.trusted_proxies.clone()));
    let (metrics, collections, live) = (service.metrics.clone(), service.collections.clone(), service.live().clone());
    let host = Arc::new(Host::new(service.clone(), tls, shutdown.clone()));
    let (counting, stop) = (service.clone(), shutdown.clone());
    tokio::spawn(async move { counting.refusals().run(&counting.store, &stop).await });
    let connections = GracefulShutdown::new();
    loop {
        let (stream, place) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&tcp, &room) => match accepted {
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
        let Some(place_of_peer) = places.take(peer) else {
            metrics.over_limit(Limit::Connections);
            debug!(net.peer = %peer, "closed a connection: the peer has too many");
            continue;
        };
        let (host, watcher) = (host.clone(), connections.watcher());
        tokio::spawn(async move {
            host.converse(stream, peer, watcher).await;
            drop((place, place_of_peer));
        });
    }
    drop(tcp);
    collections.end_waits();
    live.end();
    info!(http.connections = connections.count(), "stopping: no more connections are taken");
    if timeout(settings.grace, connections.shutdown()).await.is_err() {
        warn!("answers were still under way at the end");
    }
    service.refusals().finish(&service.store).await;
    Ok(())
}

/// A connection and its place, once there is one.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // The last bytes of an answer do not wait until the peer has acknowledged those before. Who is gone already is seen soon enough.
    let _ = stream.set_nodelay(true);
    Ok((stream, place))
}
