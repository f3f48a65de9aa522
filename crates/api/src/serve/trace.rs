//! How a file is told to have changed without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What changes of a file whenever its content does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Trace {
    /// None for a file that is not there, as for a moment while it is replaced.
    pub(super) fn of(path: &Path) -> Option<Self> {
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
