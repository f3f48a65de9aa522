//! The header of SQLite's WAL index, which every commit rewrites.
//!
//! SQLite compares these bytes to detect commits since its last read (<https://sqlite.org/walformat.html>, "The
//! WAL-Index Header"). The header contains a transaction counter, salts and checksums, so that no commit restores an
//! earlier one. Reading it takes one system call, no lock, and no other thread.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Length of the header in bytes. The file has two copies, and SQLite writes the second one first: a complete header
/// has two equal copies.
const HEADER_LEN: usize = 48;
/// First bytes of the header: the only version of the format so far.
const FORMAT_VERSION_BYTES: [u8; 4] = 3_007_000_u32.to_ne_bytes();

/// The bytes of a complete header.
pub(crate) type WalHeader = [u8; HEADER_LEN];

/// The WAL index of an open database. It is valid while a connection is open: the last one removes the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalIndex(&'static File);

impl WalIndex {
    /// Returns `None` if the database has no WAL index.
    ///
    /// The file is intentionally never closed: `close` on any descriptor of it releases all locks that SQLite holds on
    /// it in this process (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    pub(crate) fn open(database: &Path) -> Option<Self> {
        let mut name = database.as_os_str().to_owned();
        name.push("-shm");
        let index = Self(Box::leak(Box::new(File::open(name).ok()?)));
        index.read_header().map(|_| index)
    }

    /// Reads the header. Returns `None` during a write.
    pub(crate) fn read_header(self) -> Option<WalHeader> {
        let mut copies = [[0; HEADER_LEN]; 2];
        self.0.read_exact_at(copies.as_flattened_mut(), 0).ok()?;
        let [first, second] = copies;
        (first == second && first.starts_with(&FORMAT_VERSION_BYTES)).then_some(first)
    }
}
