//! Result files in the data directory.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use clew_model::RequestId;

use crate::collection_tasks::ResultMetadata;
use crate::error::StoreError;
use crate::results::file_verification::VerifiedFileCache;
use crate::results::file_writer::FileWriter;
use crate::results::is_valid_result_name;

/// All methods perform blocking I/O.
#[derive(Debug, Clone)]
pub(super) struct ResultDirectory {
    folder: Arc<Path>,
    verified: Arc<VerifiedFileCache>,
}

impl ResultDirectory {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder: folder.into(), verified: Arc::default() }
    }

    pub(super) fn create_writer(&self, request_id: &RequestId, fence: i64) -> Result<FileWriter, StoreError> {
        let name = format!("{request_id}.{fence}.csv");
        let path = self.folder.join(&name);
        FileWriter::create(self.folder.clone(), name).map_err(|source| StoreError::ResultWrite { path, source })
    }

    pub(super) fn open_verified_file(&self, result: &ResultMetadata) -> Result<File, StoreError> {
        let path = self.result_path(&result.name)?;
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::ResultMissing(result.name.clone()),
            _ => StoreError::file_error("open", &path)(error),
        })?;
        self.verified.verify_file_length_and_hash(&file, result, SystemTime::now())?;
        Ok(file)
    }

    pub(super) fn remove_file(&self, name: &str) -> Result<(), StoreError> {
        let path = self.result_path(name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file_error("remove", path)(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn remove_unreferenced_results(
        &self,
        referenced: &[String],
        age: Duration,
    ) -> Result<usize, StoreError> {
        let referenced: HashSet<&str> = referenced.iter().map(String::as_str).collect();
        let cutoff = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let failed = || StoreError::file_error("remove old results from", &*self.folder);
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            if name.to_str().is_some_and(|name| referenced.contains(name))
                || !modified.is_ok_and(|modified| modified <= cutoff)
            {
                continue;
            }
            removed += usize::from(fs::remove_file(entry.path()).is_ok());
        }
        Ok(removed)
    }

    fn result_path(&self, name: &str) -> Result<PathBuf, StoreError> {
        if is_valid_result_name(name) {
            Ok(self.folder.join(name))
        } else {
            Err(StoreError::ResultMissing(name.to_owned()))
        }
    }
}
