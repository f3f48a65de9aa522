//! Hearing what other processes of the store do, instead of looking for it again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clew_store::{Notice, Store};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::collections::Collections;
use crate::intelligent_kills::IntelligentKills;

/// Who hears looks so seldom: leases lapse without a word, and a connection that was cut is noticed only after some seconds.
const WHILE_HEARING: Duration = Duration::from_secs(2);

/// Whether this process hears the others. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hearing(Arc<AtomicBool>);

impl Hearing {
    /// How long to wait before the next look, where it is `deaf` for those who hear nothing.
    pub(crate) fn pause(&self, deaf: Duration) -> Duration {
        if self.0.load(Ordering::Relaxed) { deaf.max(WHILE_HEARING) } else { deaf }
    }

    fn is(&self, hears: bool) {
        self.0.store(hears, Ordering::Relaxed);
    }
}

/// Wakes those of this process whom it concerns when another process has queued or ended something, until `shutdown`. Without this, and
/// while the store cannot be heard, they look for themselves.
pub async fn listen(store: Store, collections: Collections, kills: IntelligentKills, shutdown: CancellationToken) {
    let Some(mut notices) = store.notices() else { return };
    let mut was_deaf = false;
    while let Some(notice) = shutdown.run_until_cancelled(notices.next()).await {
        let hears = match notice {
            Notice::Queued => {
                collections.look();
                continue;
            }
            Notice::KillQueued => {
                kills.look();
                continue;
            }
            Notice::Ended(request_id) => {
                collections.has_ended(&request_id);
                continue;
            }
            Notice::Listening => true,
            Notice::Deaf => false,
        };
        collections.hearing().is(hears);
        kills.hearing().is(hears);
        // What was said until now was not heard.
        collections.look();
        kills.look();
        match (hears, was_deaf) {
            (false, _) => {
                warn!("what other processes do is not heard any more; will look for it, and try to listen again");
            }
            (true, true) => info!("hears again what other processes do"),
            (true, false) => {}
        }
        was_deaf = !hears;
    }
}
