//! Whether a result's file still is what was written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::tasks::ResultRecord;

/// Files whose hash was found right, by name. At most this many are remembered.
const REMEMBERED: usize = 4096;

/// What changes when a file does: inode, length, and the times of its last change in nanoseconds.
type Identity = (u64, u64, i64, i64);

#[derive(Debug, Default)]
pub(super) struct Verified {
    known: Mutex<HashMap<String, Identity>>,
}

impl Verified {
    /// Checks length and hash, and rewinds the file.
    pub(super) fn check(&self, file: &File, result: &ResultRecord) -> Result<(), StoreError> {
        let unreadable = |error: io::Error| StoreError::ResultCorrupt {
            name: result.name.clone(),
            reason: format!("it cannot be read: {error}"),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.len() != result.bytes {
            let reason = format!("it has {} bytes, {} were written", metadata.len(), result.bytes);
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        let changed = |seconds: i64, nanoseconds: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
        let identity = (
            metadata.ino(),
            metadata.len(),
            changed(metadata.mtime(), metadata.mtime_nsec()),
            changed(metadata.ctime(), metadata.ctime_nsec()),
        );
        if self.remembers(&result.name, identity) {
            return Ok(());
        }
        if hash_of(file).map_err(unreadable)? != result.sha256 {
            let reason = "its bytes are not those that were written".to_owned();
            return Err(StoreError::ResultCorrupt { name: result.name.clone(), reason });
        }
        self.remember(&result.name, identity);
        Ok(())
    }

    fn remembers(&self, name: &str, identity: Identity) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) == Some(&identity)
    }

    fn remember(&self, name: &str, identity: Identity) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(name.to_owned(), identity);
    }
}

fn hash_of(mut file: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(buffer.get(..length).unwrap_or_default());
    }
    file.rewind()?;
    Ok(hex::encode(hash.finalize()))
}
