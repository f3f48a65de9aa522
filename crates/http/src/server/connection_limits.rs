//! Limits the total number of connections and the number of connections per peer.
//!
//! Reserved connections keep some routes, such as health checks, available while all regular connections are in use.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use super::{ConnectionObserver, ConnectionSettings};
use crate::client_addr::{ClientSubnet, TrustedProxies};
use crate::keyed_concurrency_limiter::{ConcurrencySlotGuard, KeyedConcurrencyLimiter};

const MAX_RESERVED_CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Connection limit that was exceeded: the limit per peer or the limit for all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceededConnectionLimit {
    /// The connection exceeds [`ConnectionSettings::max_connections_per_peer`].
    PerPeer,
    /// The connection exceeds [`ConnectionSettings::max_connections`].
    Total,
}

/// Request extension that is present if the request arrived on a reserved connection.
///
/// The application must reject requests with the marker, except on routes that allow reserved connections.
#[derive(Debug, Clone, Copy)]
pub struct ReservedConnectionMarker;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionClass {
    Regular,
    /// Connection beyond a connection limit, which the server closes after one request.
    Reserved,
}

impl ConnectionClass {
    pub(super) fn cap_timeout_if_reserved(self, timeout: Duration) -> Duration {
        if self == Self::Reserved { timeout.min(MAX_RESERVED_CONNECTION_TIMEOUT) } else { timeout }
    }
}

pub(super) struct ConnectionLimits {
    regular: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    per_peer: Arc<KeyedConcurrencyLimiter<ClientSubnet>>,
    reserved_per_peer: Arc<KeyedConcurrencyLimiter<ClientSubnet>>,
    exempt_proxies: TrustedProxies,
}

/// The connection counts toward the connection limits until the slot is dropped.
pub(super) struct ConnectionSlot {
    pub(super) class: ConnectionClass,
    _permit: OwnedSemaphorePermit,
    /// `None` for regular connections of trusted proxies, which are exempt from the per-peer limit.
    _peer: Option<ConcurrencySlotGuard<ClientSubnet>>,
}

impl ConnectionLimits {
    pub(super) fn new(settings: &ConnectionSettings) -> Self {
        Self {
            regular: Arc::new(Semaphore::new(settings.max_connections)),
            reserved: Arc::new(Semaphore::new(settings.max_reserved_connections)),
            per_peer: KeyedConcurrencyLimiter::new(settings.max_connections_per_peer),
            // A peer can use at most a quarter of the reserved connections; proxies are not exempt.
            reserved_per_peer: KeyedConcurrencyLimiter::new(settings.max_reserved_connections.div_ceil(4)),
            exempt_proxies: settings.trusted_proxies.clone(),
        }
    }

    pub(super) async fn accept_connection(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, IpAddr, ConnectionClass, OwnedSemaphorePermit)> {
        let (class, permit) = tokio::select! {
            biased;
            permit = self.regular.clone().acquire_owned() => (ConnectionClass::Regular, permit),
            permit = self.reserved.clone().acquire_owned() => (ConnectionClass::Reserved, permit),
        };
        let permit = permit.map_err(io::Error::other)?;
        let (stream, peer) = listener.accept().await?;
        let peer = peer.ip().to_canonical();
        // `TCP_NODELAY` sends the last bytes of a response without waiting for an acknowledgement.
        // Errors are ignored because the next read reports a closed connection.
        let _ = stream.set_nodelay(true);
        // A regular permit may have become free in the meantime.
        match (class, self.regular.clone().try_acquire_owned()) {
            (ConnectionClass::Reserved, Ok(regular)) => Ok((stream, peer, ConnectionClass::Regular, regular)),
            _ => Ok((stream, peer, class, permit)),
        }
    }

    /// Returns `None` if no slot is available; the caller must then close the connection.
    pub(super) fn acquire_connection_slot(
        &self,
        peer: IpAddr,
        class: ConnectionClass,
        permit: OwnedSemaphorePermit,
        observer: &dyn ConnectionObserver,
    ) -> Option<ConnectionSlot> {
        let reserved = if class == ConnectionClass::Regular {
            // An exempt proxy uses no slot, because its neighbours in the same IPv6 prefix share the slots.
            let slot = if self.exempt_proxies.contains(peer) {
                Some(None)
            } else {
                self.per_peer.acquire(peer.into()).map(Some)
            };
            if let Some(peer) = slot {
                return Some(ConnectionSlot { class, _permit: permit, _peer: peer });
            }
            observer.record_exceeded_connection_limit(ExceededConnectionLimit::PerPeer);
            self.reserved.clone().try_acquire_owned().ok()
        } else {
            observer.record_exceeded_connection_limit(ExceededConnectionLimit::Total);
            Some(permit)
        };
        let slot = reserved.zip(self.reserved_per_peer.acquire(peer.into())).map(|(permit, peer)| ConnectionSlot {
            class: ConnectionClass::Reserved,
            _permit: permit,
            _peer: Some(peer),
        });
        if slot.is_none() {
            debug!(net.peer = %peer, "connection closed because a connection limit is reached");
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    struct NoObserver;

    impl ConnectionObserver for NoObserver {
        fn record_exceeded_connection_limit(&self, _: ExceededConnectionLimit) {}
        fn record_malformed_request(&self, _: StatusCode) {}
    }

    #[test]
    fn exempt_proxies_have_no_limit() {
        let limits = ConnectionLimits::new(&ConnectionSettings {
            max_connections_per_peer: 1,
            max_reserved_connections: 0,
            trusted_proxies: TrustedProxies::parse(&["10.0.0.0/8".into(), "fd00::1".into()]).unwrap(),
            ..ConnectionSettings::default()
        });
        let admit = |text: &str| {
            let permit = limits.regular.clone().try_acquire_owned().unwrap();
            limits.acquire_connection_slot(text.parse().unwrap(), ConnectionClass::Regular, permit, &NoObserver)
        };
        let held: Vec<_> = (0..9).map(|_| admit("10.0.0.1")).collect();
        assert!(held.iter().all(Option::is_some));
        let _client = admit("192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("192.0.2.2").is_some());
        let _held: Vec<_> = (0..9).map(|_| admit("fd00::1").unwrap()).collect();
        assert!(admit("fd00::2").is_some(), "the proxy uses no slot of its IPv6 prefix");
    }
}
