//! Backend for the service tests on one machine: a data directory and one process.

use std::ffi::OsString;
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::process::Command;

use clew_store::StoreLocation;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::harness::{Home, StartedProcesses};

/// Number of worker processes.
pub(crate) const WORKERS: u64 = 1;
/// Text that the names of metadata files contain.
pub(crate) const METADATA: &str = "clew.db";

/// Placeholder for the load balancer, because one server needs none.
pub(crate) type LoadBalancer = ();
pub(crate) type Connection = SqliteConnection;

/// The data directory.
pub(crate) struct Backend {
    dir: PathBuf,
}

impl Backend {
    /// Creates the backend. The future is ready immediately; the platform variant waits for servers.
    pub(crate) fn new(dir: PathBuf) -> Ready<Self> {
        ready(Self { dir })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Environment variables for `clew`.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![("CLEW_DATA_DIR", self.dir.clone().into())]
    }

    pub(crate) fn location(&self) -> StoreLocation {
        (&self.dir).into()
    }

    pub(crate) async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.dir.join("clew.db")).connect().await.unwrap()
    }

    /// Returns the directories of all stored data, with names.
    pub(crate) fn storage_dirs(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("data directory", self.dir.clone())]
    }
}

/// Starts the server.
pub(crate) fn serve(
    home: &Home,
    clew: &dyn Fn() -> Command,
    processes: &mut StartedProcesses,
) -> Ready<(String, LoadBalancer)> {
    ready((home.start(clew(), &["serve", "--listen", "127.0.0.1:0"], home.dir(), processes), ()))
}
