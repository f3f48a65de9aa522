//! Lock file that allows only one server per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::data_dir::DataDir;
use crate::error::StoreError;

/// Exclusive lock on a data directory. For example, a server or a master key rotation holds the lock.
/// The operating system releases the data directory lock when the Clew process terminates.
#[derive(Debug)]
pub struct DataDirLock {
    /// Locked file, or `None` if no lock is required because all data is in PostgreSQL and S3.
    _file: Option<File>,
}

impl DataDirLock {
    pub(crate) const NOT_REQUIRED: Self = Self { _file: None };
}

pub(crate) fn acquire_data_dir_lock(data_dir: &DataDir) -> Result<DataDirLock, StoreError> {
    let path = data_dir.lock_file_path();
    let file = open_lock_file(&path).map_err(StoreError::file_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(DataDirLock { _file: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(StoreError::AlreadyServing(data_dir.root.clone())),
        Err(TryLockError::Error(error)) => Err(StoreError::file_error("lock", path)(error)),
    }
}

fn open_lock_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}
