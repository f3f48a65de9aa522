//! Recording of everything that clients send to a rogue server.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Recording {
    packets: Mutex<Vec<Vec<u8>>>,
    connections: AtomicUsize,
    attacks: AtomicUsize,
    bytes_sent: AtomicU64,
}

impl Recording {
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, SeqCst);
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(super) fn attacked(&self) {
        self.attacks.fetch_add(1, SeqCst);
    }

    pub(super) fn attacks(&self) -> usize {
        self.attacks.load(SeqCst)
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.bytes_sent.fetch_add(bytes as u64, SeqCst);
    }

    pub(super) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(SeqCst)
    }

    pub(super) fn received(&self, packet: Vec<u8>) {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
    }

    pub(super) fn packets(&self) -> Vec<Vec<u8>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
