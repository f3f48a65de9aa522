//! Makes directory entries durable.

use std::fs::File;
use std::io;
use std::path::Path;

/// Without this call, a crash can revert the creation or renaming of a file.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
