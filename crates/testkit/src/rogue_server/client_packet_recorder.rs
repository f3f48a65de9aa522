//! Records the packets that a rogue MySQL server receives, and counts the server's connections and attacks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct ClientPacketRecorder {
    packets: Mutex<Vec<Vec<u8>>>,
    connections: AtomicUsize,
    attacks: AtomicUsize,
    bytes_sent: AtomicU64,
}

impl ClientPacketRecorder {
    pub(super) fn increment_connection_count(&self) {
        self.connections.fetch_add(1, SeqCst);
    }

    pub(super) fn connection_count(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(super) fn increment_attack_count(&self) {
        self.attacks.fetch_add(1, SeqCst);
    }

    pub(super) fn attack_count(&self) -> usize {
        self.attacks.load(SeqCst)
    }

    pub(super) fn add_bytes_sent(&self, bytes: usize) {
        self.bytes_sent.fetch_add(bytes as u64, SeqCst);
    }

    pub(super) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(SeqCst)
    }

    pub(super) fn append_client_packet(&self, packet: Vec<u8>) {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
    }

    pub(super) fn recorded_packets(&self) -> Vec<Vec<u8>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
