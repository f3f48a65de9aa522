//! Reloads the TLS certificate when the certificate or key file changes.
//!
//! The server polls the certificate files, because file system notifications miss some certificate renewals.
//! A certificate renewal can replace or overwrite the certificate files, or change a symbolic link to their directory.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::file_fingerprint::FileFingerprint;
use super::tls::TlsConfig;

impl TlsConfig {
    /// Checks the certificate and key files every `poll_interval` and reloads changed files.
    /// Returns when the `shutdown` token is cancelled.
    ///
    /// If the new certificate is invalid, logs a warning and continues to use the previous certificate.
    pub async fn watch_certificate_files(self, poll_interval: Duration, shutdown: CancellationToken) {
        let mut last = self.files.initial.clone();
        let mut ticks = interval(poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let tls = self.clone();
            let Ok(current) = spawn_blocking(move || tls.reload_if_changed(&last)).await else { return };
            last = current;
        }
    }

    /// Returns the current fingerprints.
    fn reload_if_changed(&self, last: &[Option<FileFingerprint>; 2]) -> [Option<FileFingerprint>; 2] {
        let current = [
            FileFingerprint::read_fingerprint(&self.files.certificate),
            FileFingerprint::read_fingerprint(&self.files.key),
        ];
        if current != *last {
            self.reload_certificate_and_log();
        }
        current
    }

    /// Reloads the certificate and logs the outcome.
    pub fn reload_certificate_and_log(&self) {
        let certificate = self.files.certificate.display();
        match self.reload() {
            Ok(()) => info!(tls.certificate = %certificate, "TLS certificate reloaded"),
            Err(error) => warn!(%error, "cannot reload the TLS certificate; the previous certificate stays in use"),
        }
        self.warn_if_key_is_world_readable();
    }

    /// Logs a warning if the key file is readable by all users on the machine.
    pub fn warn_if_key_is_world_readable(&self) {
        if self.is_key_world_readable() {
            let key = self.files.key.display();
            warn!(tls.key = %key, "all users of this machine can read the TLS key. fix: chmod o-r");
        }
    }
}
