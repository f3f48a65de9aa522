//! Detects file changes from metadata, without reading the file contents.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// File metadata that changes whenever the contents of the file change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileFingerprint {
    /// Returns `None` if the file's metadata cannot be read, for example while the file is being replaced.
    pub(super) fn read_fingerprint(path: &Path) -> Option<Self> {
        let file = path.metadata().ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}
