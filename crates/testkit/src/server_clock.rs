//! Sets the wall clock and the time zone of a test database server.
//!
//! libfaketime changes the server's wall clock but not its monotonic clock, just like a real clock change.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use tempfile::TempDir;

use crate::server_error::ServerError;
use crate::test_tools;

/// Wall clock of a database server. Tests can set the clock while the server runs.
#[derive(Debug)]
pub struct ServerClock {
    folder: TempDir,
    time_zone: String,
}

impl ServerClock {
    /// POSIX `TZ` value for Central European Time, including the rules for daylight saving time.
    pub const CENTRAL_EUROPEAN_TIME_ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    /// Creates a clock that initially matches the system clock. `time_zone` uses the format of the `TZ` environment variable.
    pub fn new(time_zone: &str) -> Result<Self, ServerError> {
        let folder = tempfile::tempdir().map_err(ServerError::io("create a directory"))?;
        let clock = Self { folder, time_zone: time_zone.to_owned() };
        clock.set_offset(0.0).map_err(ServerError::io("write a file"))?;
        Ok(clock)
    }

    /// Sets the clock's offset from the system clock, in seconds.
    pub fn set_offset(&self, seconds: f64) -> io::Result<()> {
        // The rename is atomic, because the server can read the file at any time.
        let written = self.folder.path().join("new");
        fs::write(&written, format!("{seconds:+.3}\n"))?;
        fs::rename(written, self.faketime_offset_file_path())
    }

    /// Sets the clock to a Unix timestamp. The clock continues to run from that time.
    pub fn set_time(&self, unix_timestamp: Duration) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        self.set_offset(unix_timestamp.as_secs_f64() - now.as_secs_f64())
    }

    pub(crate) fn environment_variables(&self) -> Result<Vec<(&'static str, OsString)>, ServerError> {
        let library = test_tools::libfaketime_path().ok_or_else(|| ServerError::Missing {
            server: "libfaketime (Debian package faketime)",
            program: PathBuf::from("/usr/lib/…/faketime/libfaketimeMT.so.1"),
        })?;
        Ok(vec![
            ("LD_PRELOAD", library.into()),
            ("FAKETIME_TIMESTAMP_FILE", self.faketime_offset_file_path().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            // Without this variable, timed waits of MySQL spin.
            ("FAKETIME_FORCE_MONOTONIC_FIX", "0".into()),
            ("TZ", self.time_zone.clone().into()),
        ])
    }

    fn faketime_offset_file_path(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}
