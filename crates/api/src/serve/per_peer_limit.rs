//! The limit on connections of one peer: one peer must not hold all of them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::connection::{Neighbourhood, TrustedProxies};
use crate::limits::keyed_slots::{KeyedSlots, Slot};

/// Connections of each peer that has any.
#[derive(Debug)]
pub(super) struct PerPeerLimit {
    slots: Arc<KeyedSlots<Neighbourhood>>,
    /// They stand for many clients, so they may have any number.
    exempt: TrustedProxies,
}

/// A connection of a peer, until it is dropped. Nothing is counted for an exempt peer.
pub(super) type PeerSlot = Option<Slot<Neighbourhood>>;

impl PerPeerLimit {
    /// So many for each peer; 0 is any number.
    pub(super) fn new(limit: usize, exempt: TrustedProxies) -> Self {
        Self { slots: KeyedSlots::new(limit), exempt }
    }

    /// A slot for the peer, if it may have one more connection.
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
    fn an_exempt_proxy_may_have_any_number() {
        let limit = PerPeerLimit::new(1, TrustedProxies::parse(&["10.0.0.0/8".into()]).unwrap());
        let address = |text: &str| text.parse().unwrap();
        let held: Vec<_> = (0..9).map(|_| limit.acquire(address("10.0.0.1"))).collect();
        assert!(held.iter().all(Option::is_some));
        let _client = limit.acquire(address("192.0.2.1")).unwrap();
        assert!(limit.acquire(address("192.0.2.1")).is_none());
        assert!(limit.acquire(address("192.0.2.2")).is_some());
    }
}
