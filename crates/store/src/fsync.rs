//! Durability of directory entries.

use std::fs::File;
use std::io;
use std::path::Path;

/// Syncs a directory to make created and renamed files durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
