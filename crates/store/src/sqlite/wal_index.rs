//! The head of the index of SQLite's write-ahead log, which every commit rewrites and every reader looks at first.
//!
//! SQLite itself finds out by comparing these bytes whether anybody has committed since it last read
//! (<https://sqlite.org/walformat.html>, "The WAL-Index Header"): with a counter of transactions, salts and checksums in them they never
//! come back after a commit. Looking at them takes one system call, no lock, and no other thread.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of the head. It stands there twice: a writer fills the second copy first, so only two equal copies are whole.
const LENGTH: usize = 48;
/// What the head begins with: the only version of the index that there has been.
const VERSION: [u8; 4] = 3_007_000_u32.to_ne_bytes();

/// The bytes of a whole head.
pub(crate) type Head = [u8; LENGTH];

/// The index of an open database. It belongs to a database as long as one connection stays open: the last one removes the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalIndex(&'static File);

impl WalIndex {
    /// Nothing where the database has none.
    ///
    /// The file is never closed again, by intent: whichever descriptor of it a process closes, all locks that SQLite holds on it in
    /// that process are gone (<https://sqlite.org/howtocorrupt.html>, section 2.2).
    pub(crate) fn open(database: &Path) -> Option<Self> {
        let mut name = database.as_os_str().to_owned();
        name.push("-shm");
        let index = Self(Box::leak(Box::new(File::open(name).ok()?)));
        index.head().map(|_| index)
    }

    /// The head as it is now; nothing while somebody writes it.
    pub(crate) fn head(self) -> Option<Head> {
        let mut copies = [[0; LENGTH]; 2];
        self.0.read_exact_at(copies.as_flattened_mut(), 0).ok()?;
        let [first, second] = copies;
        (first == second && first.starts_with(&VERSION)).then_some(first)
    }
}
