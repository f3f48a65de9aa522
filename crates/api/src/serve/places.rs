//! How many connections a peer has: one peer must not hold all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::connection::{Neighbourhood, TrustedProxies};

/// The places of each peer that has any.
#[derive(Debug)]
pub(super) struct Places {
    /// Of one peer; 0 is any number.
    limit: usize,
    /// They stand for many clients, so they may have any number.
    exempt: TrustedProxies,
    taken: Mutex<HashMap<Neighbourhood, usize>>,
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    of: Arc<Places>,
    /// None for who is not counted.
    peer: Option<Neighbourhood>,
}

impl Places {
    pub(super) fn new(limit: usize, exempt: TrustedProxies) -> Self {
        Self { limit, exempt, taken: Mutex::default() }
    }

    /// A place for the peer, if it may have one more.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        if self.limit == 0 || self.exempt.contains(peer) {
            return Some(Place { of: self.clone(), peer: None });
        }
        let peer = Neighbourhood::from(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(peer).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place { of: self.clone(), peer: Some(peer) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(limit: usize) -> Arc<Places> {
        Arc::new(Places::new(limit, TrustedProxies::parse(&["10.0.0.0/8".into()]).unwrap()))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let places = places(2);
        let peer = address("192.0.2.1");
        let (first, _second) = (places.take(peer).unwrap(), places.take(peer).unwrap());
        assert!(places.take(peer).is_none());
        let other = places.take(address("192.0.2.2")).unwrap();
        drop(first);
        let _again = places.take(peer).unwrap();
        assert!(places.take(peer).is_none());
        drop(other);
        assert_eq!(places.taken.lock().unwrap().len(), 1, "who has left is forgotten");
    }

    #[test]
    fn some_may_have_any_number() {
        let limited = places(1);
        let proxy: Vec<_> = (0..9).map(|_| limited.take(address("10.0.0.1"))).collect();
        let unlimited = places(0);
        let anybody: Vec<_> = (0..9).map(|_| unlimited.take(address("192.0.2.1"))).collect();
        assert!(proxy.iter().chain(&anybody).all(Option::is_some));
    }
}
