//! Reads the header of the SQLite WAL index, which each commit rewrites.
//!
//! SQLite uses the WAL index header to detect commits by other connections.
//! See "The WAL-Index Header" in <https://sqlite.org/walformat.html>.
//! The WAL index header contains a transaction counter, salts and checksums, so each commit changes the header.
//! Reading the WAL index header requires one system call and no lock.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The WAL index file contains two copies of the header.
/// The two copies of the header are equal unless SQLite is writing the header.
const WAL_INDEX_HEADER_LEN: usize = 48;
/// The WAL index header begins with the format version. Clew supports only one format version.
const SUPPORTED_WAL_INDEX_FORMAT_VERSION: [u8; 4] = 3_007_000_u32.to_ne_bytes();

pub(crate) type WalHeader = [u8; WAL_INDEX_HEADER_LEN];

/// SQLite removes the WAL index file when the last connection is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalIndex(&'static File);

impl WalIndex {
    /// Returns `None` if the database has no WAL index.
    ///
    /// Clew never closes the WAL index file, because `close` would release all locks that SQLite holds on the file.
    /// See section 2.2 of <https://sqlite.org/howtocorrupt.html>.
    pub(crate) fn open(database: &Path) -> Option<Self> {
        let mut name = database.as_os_str().to_owned();
        name.push("-shm");
        let index = Self(Box::leak(Box::new(File::open(name).ok()?)));
        index.read_header().map(|_| index)
    }

    /// Returns `None` if SQLite is writing the header or if Clew does not support the format version.
    pub(crate) fn read_header(self) -> Option<WalHeader> {
        let mut copies = [[0; WAL_INDEX_HEADER_LEN]; 2];
        self.0.read_exact_at(copies.as_flattened_mut(), 0).ok()?;
        let [first, second] = copies;
        (first == second && first.starts_with(&SUPPORTED_WAL_INDEX_FORMAT_VERSION)).then_some(first)
    }
}
