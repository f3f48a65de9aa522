//! Limits connections per peer so that a single peer cannot use up all connections.

use std::net::IpAddr;
use std::sync::Arc;

use crate::client_addr::{ClientSubnet, TrustedProxies};
use crate::limits::keyed_concurrency_limiter::{ConcurrencySlotGuard, KeyedConcurrencyLimiter};

#[derive(Debug)]
pub(super) struct PerPeerConnectionLimit {
    slots: Arc<KeyedConcurrencyLimiter<ClientSubnet>>,
    /// Proxies that may open any number of connections because they forward requests from many clients.
    exempt: TrustedProxies,
}

/// Slot for one connection, released on drop. `None` for a proxy that is exempt from the limit.
pub(super) type PeerSlot = Option<ConcurrencySlotGuard<ClientSubnet>>;

impl PerPeerConnectionLimit {
    /// A limit of 0 allows any number of connections.
    pub(super) fn new(limit: usize, exempt: TrustedProxies) -> Self {
        Self { slots: KeyedConcurrencyLimiter::new(limit), exempt }
    }

    pub(super) fn acquire(&self, peer: IpAddr) -> Option<PeerSlot> {
        if self.exempt.contains(peer) {
            return Some(None);
        }
        self.slots.acquire(peer.into()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exempt_proxies_have_no_limit() {
        let limit = PerPeerConnectionLimit::new(1, TrustedProxies::parse(&["10.0.0.0/8".into()]).unwrap());
        let address = |text: &str| text.parse().unwrap();
        let held: Vec<_> = (0..9).map(|_| limit.acquire(address("10.0.0.1"))).collect();
        assert!(held.iter().all(Option::is_some));
        let _client = limit.acquire(address("192.0.2.1")).unwrap();
        assert!(limit.acquire(address("192.0.2.1")).is_none());
        assert!(limit.acquire(address("192.0.2.2")).is_some());
    }
}
