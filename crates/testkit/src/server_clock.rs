//! Clock of a private server, which can be set while the server runs, in a time zone with daylight-saving time.
//!
//! libfaketime changes the server's wall clock but not its monotonic clock, like a real clock change.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use tempfile::TempDir;

use crate::server_error::ServerError;
use crate::toolchain;

/// A settable clock.
#[derive(Debug)]
pub struct ServerClock {
    folder: TempDir,
    time_zone: String,
}

impl ServerClock {
    /// Central European time with daylight-saving time, as a POSIX rule that needs no time zone database.
    pub const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    /// Creates a clock with the correct time in a time zone, in the format of the `TZ` variable.
    pub fn new(time_zone: &str) -> Result<Self, ServerError> {
        let folder = tempfile::tempdir().map_err(|source| ServerError::Io { doing: "make a folder", source })?;
        let clock = Self { folder, time_zone: time_zone.to_owned() };
        clock.shift(0.0).map_err(|source| ServerError::Io { doing: "write a file", source })?;
        Ok(clock)
    }

    /// Shifts the clock by this number of seconds from the correct time.
    pub fn shift(&self, seconds: f64) -> io::Result<()> {
        // The rename is atomic, because the server can read the file at any time.
        let written = self.folder.path().join("new");
        fs::write(&written, format!("{seconds:+.3}\n"))?;
        fs::rename(written, self.file())
    }

    /// Sets the clock to this time, from which it continues.
    pub fn set(&self, since_1970: Duration) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        self.shift(since_1970.as_secs_f64() - now.as_secs_f64())
    }

    /// Returns the environment variables of a server with this clock.
    pub(crate) fn environment(&self) -> Result<Vec<(&'static str, OsString)>, ServerError> {
        let library = toolchain::faketime().ok_or_else(|| ServerError::Missing {
            server: "libfaketime (Debian package faketime)",
            program: PathBuf::from("/usr/lib/…/faketime/libfaketimeMT.so.1"),
        })?;
        Ok(vec![
            ("LD_PRELOAD", library.into()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            // Without this variable, timed waits of MySQL spin.
            ("FAKETIME_FORCE_MONOTONIC_FIX", "0".into()),
            ("TZ", self.time_zone.clone().into()),
        ])
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}
