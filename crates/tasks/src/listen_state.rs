//! State of the LISTEN connection, and the resulting poll interval.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Minimum poll interval while the process receives notifications.
///
/// Polling remains necessary, because an expired lease causes no notification.
/// Moreover, a broken connection is detected only after some seconds.
const MIN_LISTENING_INTERVAL: Duration = Duration::from_secs(2);

/// State of the LISTEN connection: true while this process receives notifications. Clones share state.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListenState(Arc<AtomicBool>);

impl ListenState {
    /// Time until the next poll. `without_listen` is the interval of a process that receives no notifications.
    pub(crate) fn poll_interval(&self, without_listen: Duration) -> Duration {
        if self.0.load(Ordering::Relaxed) { without_listen.max(MIN_LISTENING_INTERVAL) } else { without_listen }
    }

    pub(crate) fn set_listening(&self, listening: bool) {
        self.0.store(listening, Ordering::Relaxed);
    }
}
