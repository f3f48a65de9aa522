//! One server per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::data_dir::DataDir;
use crate::error::StoreError;

/// Held as long as a process serves or initialises a data directory. The system takes it back when the process ends, however
/// it ends.
#[derive(Debug)]
pub struct ServingLock {
    /// Nothing where there is nothing in the directory that only one process may change.
    _file: Option<File>,
}

impl ServingLock {
    pub(crate) const UNNEEDED: Self = Self { _file: None };
}

/// Takes the lock, or says that another process has it. Changes nothing else.
pub(crate) fn take(data_dir: &DataDir) -> Result<ServingLock, StoreError> {
    let path = data_dir.lock();
    let file = open(&path).map_err(StoreError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(ServingLock { _file: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(StoreError::AlreadyServing { dir: data_dir.root.clone() }),
        Err(TryLockError::Error(error)) => Err(StoreError::file("lock", path)(error)),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}
