//! Makes directory entries durable.

use std::fs::File;
use std::io;
use std::path::Path;

/// Syncs a directory so that created and renamed files are durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
