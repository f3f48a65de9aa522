//! Makes directory entries durable.

use std::fs::File;
use std::io;
use std::path::Path;

/// If a directory is not synchronised, a crash can undo the creation or renaming of a file in the directory.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
