//! Records the packets that a rogue MySQL server receives, and counts the server's connections and attacks.

use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct ClientPacketRecorder {
    packets: Mutex<Vec<Vec<u8>>>,
    pub(super) connections: AtomicUsize,
    pub(super) attacks: AtomicUsize,
    pub(super) bytes_sent: AtomicUsize,
}

impl ClientPacketRecorder {
    pub(super) fn append_client_packet(&self, packet: Vec<u8>) {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
    }

    pub(super) fn recorded_packets(&self) -> Vec<Vec<u8>> {
        self.packets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
