//! Results: one file each, there whole or not at all.

mod verified;
mod writer;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clew_model::RequestId;

use crate::error::StoreError;
use crate::tasks::ResultRecord;
use verified::Verified;
pub use writer::{PublishedResult, ResultWriter};

/// What temporary files end in.
const TEMPORARY: &str = ".tmp";

/// The stored results of a data directory. Its methods block: call them off a runtime's threads. Clones share everything.
#[derive(Debug, Clone)]
pub struct ResultStore {
    folder: Arc<Path>,
    verified: Arc<Verified>,
}

impl ResultStore {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder: folder.into(), verified: Arc::default() }
    }

    /// Starts a result under a temporary name. Fails where the folder cannot be written to.
    pub fn create(&self, request_id: &RequestId, fence: i64) -> Result<ResultWriter, StoreError> {
        let name = format!("{request_id}.{fence}.csv");
        let path = self.folder.join(&name);
        ResultWriter::create(self.folder.clone(), name).map_err(|source| StoreError::ResultWrite { path, source })
    }

    /// The file of a result, after its length and hash were found to be those that were written. The hash is taken once
    /// for a file that does not change.
    pub fn open(&self, result: &ResultRecord) -> Result<File, StoreError> {
        let path = self.path(&result.name)?;
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::ResultMissing { name: result.name.clone() },
            _ => StoreError::file("open", &path)(error),
        })?;
        self.verified.check(&file, result, SystemTime::now())?;
        Ok(file)
    }

    /// Removes a result. One that is not there is no error.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Removes files older than `age` that no task names: what crashes left. Returns how many.
    pub fn sweep(&self, known: &[String], age: Duration) -> Result<usize, StoreError> {
        let known: HashSet<&str> = known.iter().map(String::as_str).collect();
        let old = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let failed = || StoreError::file("sweep", &*self.folder);
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            if name.to_str().is_some_and(|name| known.contains(name)) || !modified.is_ok_and(|modified| modified <= old)
            {
                continue;
            }
            removed += usize::from(fs::remove_file(entry.path()).is_ok());
        }
        Ok(removed)
    }

    /// A name never leaves the folder, wherever it came from.
    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if plain { Ok(self.folder.join(name)) } else { Err(StoreError::ResultMissing { name: name.to_owned() }) }
    }
}
