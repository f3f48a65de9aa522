//! Makes directory entries durable.

use std::fs::File;
use std::io;
use std::path::Path;

/// Flushes a directory to disk, because a crash could otherwise undo the creation or renaming of a file in it.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
