//! Reloads the TLS certificate when the certificate or key file changes.
//!
//! The server polls the certificate files, because file system notifications miss some certificate renewals.
//! A certificate renewal can replace or overwrite the certificate files, or change a symbolic link to their directory.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::TlsConfig;

/// `None` if the file metadata is unreadable, for example because the file is being replaced.
pub(super) type FileFingerprint = Option<([u64; 3], [i64; 4])>;

pub(super) fn read_file_fingerprint(path: &Path) -> FileFingerprint {
    let file = path.metadata().ok()?;
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    Some(([file.dev(), file.ino(), file.size()], times))
}

impl TlsConfig {
    /// Checks the certificate and key files at intervals of `poll_interval` and reloads changed files.
    /// Returns when the `shutdown` token is canceled.
    ///
    /// If the new certificate is invalid, logs a warning and continues to use the previous certificate.
    pub async fn watch_certificate_files(self, poll_interval: Duration, shutdown: CancellationToken) {
        let mut last = self.files.initial_fingerprints;
        let mut ticks = interval(poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let tls = self.clone();
            let reload_if_changed = move || {
                let current = [read_file_fingerprint(&tls.files.certificate), read_file_fingerprint(&tls.files.key)];
                if current != last {
                    tls.reload_certificate_and_log_outcome();
                }
                current
            };
            let Ok(current) = spawn_blocking(reload_if_changed).await else { return };
            last = current;
        }
    }

    /// Reloads the certificate and logs the outcome.
    pub fn reload_certificate_and_log_outcome(&self) {
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
            warn!(tls.key = %key, "all users of this machine can read the TLS key. Fix: chmod o-r");
        }
    }
}
