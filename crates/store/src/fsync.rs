//! Makes directory entries durable.

use std::fs::File;
use std::io;
use std::path::Path;

/// Flushes a directory to disk, so that a crash does not undo the creation or renaming of files.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
