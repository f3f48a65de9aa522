//! Writing a result: a temporary name, fsync, rename, fsync of the folder.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::TEMPORARY;
use crate::data_dir::sync_folder;
use crate::error::StoreError;

/// A result that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedResult {
    /// Its name in the result store.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A result being written. Dropped before it is published, it leaves nothing.
#[derive(Debug)]
pub struct ResultWriter {
    folder: Arc<Path>,
    name: String,
    temporary: NamedTempFile,
    hash: Sha256,
    bytes: u64,
}

impl ResultWriter {
    pub(super) fn create(folder: Arc<Path>, name: String) -> io::Result<Self> {
        let temporary = tempfile::Builder::new().prefix(&format!(".{name}.")).suffix(TEMPORARY).tempfile_in(&folder)?;
        Ok(Self { folder, name, temporary, hash: Sha256::new(), bytes: 0 })
    }

    /// Gives the result its name. Once this returns, a crash no longer loses it.
    pub fn publish(self) -> Result<PublishedResult, StoreError> {
        let Self { folder, name, temporary, hash, bytes } = self;
        let path = folder.join(&name);
        let published = temporary.as_file().sync_all().and_then(|()| {
            temporary.persist(&path)?;
            sync_folder(&folder)
        });
        match published {
            Ok(()) => Ok(PublishedResult { name, bytes, sha256: hex::encode(hash.finalize()) }),
            Err(source) => {
                // It may have its name already; without a durable one it must not be taken for a result.
                let _ = fs::remove_file(&path);
                Err(StoreError::ResultWrite { path, source })
            }
        }
    }
}

impl Write for ResultWriter {
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
