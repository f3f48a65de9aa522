//! Makes directory entries durable.

use std::fs::File;
use std::io;
use std::path::Path;

/// Without the synchronisation of its directory, a file's creation or new name can be lost in a crash.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
