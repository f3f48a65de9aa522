//! Results as files of one folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clew_model::RequestId;

use super::file_writer::FileWriter;
use super::is_plain;
use super::verified::Verified;
use crate::error::StoreError;
use crate::tasks::ResultRecord;

/// The results of a data directory. Its methods block.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: Arc<Path>,
    verified: Arc<Verified>,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder: folder.into(), verified: Arc::default() }
    }

    /// Starts a result under a temporary name. Fails where the folder cannot be written to.
    pub(super) fn create(&self, request_id: &RequestId, fence: i64) -> Result<FileWriter, StoreError> {
        let name = format!("{request_id}.{fence}.csv");
        let path = self.folder.join(&name);
        FileWriter::create(self.folder.clone(), name).map_err(|source| StoreError::ResultWrite { path, source })
    }

    /// The file of a result, after its length and hash were found to be those that were written. The hash is taken once
    /// for a file that does not change.
    pub(super) fn open(&self, result: &ResultRecord) -> Result<File, StoreError> {
        let path = self.path(&result.name)?;
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::ResultMissing { name: result.name.clone() },
            _ => StoreError::file("open", &path)(error),
        })?;
        self.verified.check(&file, result, SystemTime::now())?;
        Ok(file)
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file("remove", path)(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn sweep(&self, known: &[String], age: Duration) -> Result<usize, StoreError> {
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

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        if is_plain(name) {
            Ok(self.folder.join(name))
        } else {
            Err(StoreError::ResultMissing { name: name.to_owned() })
        }
    }
}
