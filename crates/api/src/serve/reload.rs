//! Taking a new certificate when its files change.
//!
//! The files are looked at now and then, because that works wherever they lie: whoever renews certificates may replace them, write into
//! them, or turn a link to another folder, and no notice of the operating system covers all of that.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::tls::Tls;
use super::trace::Trace;

impl Tls {
    /// Takes a new certificate within `every` after its files changed, until `shutdown`. One that cannot be used is named in the log, and
    /// the old one stays.
    pub async fn watch(self, every: Duration, shutdown: CancellationToken) {
        let mut seen = self.files.first_seen.clone();
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let tls = self.clone();
            let Ok(now) = spawn_blocking(move || tls.look(&seen)).await else { return };
            seen = now;
        }
    }

    /// Reads the files again if they are not as they were seen. Returns how they are.
    fn look(&self, seen: &[Option<Trace>; 2]) -> [Option<Trace>; 2] {
        let now = [Trace::of(&self.files.certificate), Trace::of(&self.files.key)];
        if now != *seen {
            self.reload_and_say_so();
        }
        now
    }

    /// Reads both files again, and says in the log what came of it.
    pub fn reload_and_say_so(&self) {
        let certificate = self.files.certificate.display();
        match self.reload() {
            Ok(()) => info!(tls.certificate = %certificate, "new connections get a new certificate"),
            Err(error) => warn!(%error, "a new certificate was not taken; connections go on with the old one"),
        }
        self.warn_of_open_key();
    }

    /// Says in the log if anybody on this machine may read the key.
    pub fn warn_of_open_key(&self) {
        if self.key_is_open_to_others() {
            let key = self.files.key.display();
            warn!(tls.key = %key, "everybody on this machine may read the TLS key; take that away (chmod o-r)");
        }
    }
}
