//! Writes result files atomically.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::error::StoreError;
use crate::fsync::sync_directory;
use crate::results::PublishedResult;

const TEMPORARY_FILE_SUFFIX: &str = ".tmp";

#[derive(Debug)]
pub(super) struct FileWriter {
    folder: Arc<Path>,
    name: String,
    temporary: NamedTempFile,
    hash: Sha256,
    bytes: u64,
}

impl FileWriter {
    pub(super) fn create(folder: Arc<Path>, name: String) -> io::Result<Self> {
        let temporary =
            tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(TEMPORARY_FILE_SUFFIX).tempfile_in(&folder)?;
        Ok(Self { folder, name, temporary, hash: Sha256::new(), bytes: 0 })
    }

    pub(super) fn publish(self) -> Result<PublishedResult, StoreError> {
        let Self { folder, name, temporary, hash, bytes } = self;
        let path = folder.join(&name);
        let published = temporary.as_file().sync_all().and_then(|()| {
            temporary.persist(&path)?;
            sync_directory(&folder)
        });
        match published {
            Ok(()) => Ok(PublishedResult { name, bytes, sha256: hex::encode(hash.finalize()) }),
            Err(source) => {
                // The file may already have its final name, which may not be durable.
                let _ = fs::remove_file(&path);
                Err(StoreError::ResultWrite { path, source })
            }
        }
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temporary.as_file_mut().write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}
