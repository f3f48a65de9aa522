//! One machine: everything in a folder, and one process.

use std::ffi::OsString;
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::process::Command;

use clew_store::Location;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use crate::harness::{Home, Started};

/// Processes that take collections up.
pub(crate) const WORKERS: u64 = 1;
/// What the names of files with the metadata have.
pub(crate) const METADATA: &str = "clew.db";

/// What stands before the processes.
pub(crate) type Front = ();
pub(crate) type Connection = SqliteConnection;

/// The data directory, which has everything.
pub(crate) struct Place {
    dir: PathBuf,
}

impl Place {
    /// At once; servers would have to be waited for.
    pub(crate) fn new(dir: PathBuf) -> Ready<Self> {
        ready(Self { dir })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What tells `clew` where everything is.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![("CLEW_DATA_DIR", self.dir.clone().into())]
    }

    pub(crate) fn location(&self) -> Location {
        (&self.dir).into()
    }

    pub(crate) async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.dir.join("clew.db")).connect().await.unwrap()
    }

    /// Folders with all that is kept, each with a name.
    pub(crate) fn kept(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("data directory", self.dir.clone())]
    }
}

/// Starts serving.
pub(crate) fn serve(home: &Home, clew: &dyn Fn() -> Command, processes: &mut Started) -> Ready<(String, Front)> {
    ready((home.start(clew(), &["serve", "--listen", "127.0.0.1:0"], home.dir(), processes), ()))
}
