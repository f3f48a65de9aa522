//! Reader of nodes: a trait, and its implementation for MySQL-compatible servers.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;

use clew_model::{Failure, FailureKind, NodeUrl, Selection};
use clew_mysql::{Limits, OutputFormat, StatementText, take_snapshot};

/// Function that writes all rows in order. It may block.
type WriteRows = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// Rows of a node as CSV without a header row, not yet written to a result.
pub struct Rows {
    count: u64,
    write: WriteRows,
}

impl Rows {
    /// Creates a set of `count` rows. `write` writes them; it runs on a blocking thread.
    pub fn new(count: u64, write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Self {
        Self { count, write: Box::new(write) }
    }

    /// Number of rows.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Writes all rows.
    pub(crate) fn write_to(self, out: &mut dyn Write) -> io::Result<()> {
        (self.write)(out)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Future of a read. Dropping it cancels the read.
pub type ReadFuture<'a> = Pin<Box<dyn Future<Output = Result<Rows, Failure>> + Send + 'a>>;

/// Reader of nodes. It must enforce its own timeout: the worker waits for it while it holds the lease.
pub trait NodeReader: Send + Sync {
    /// Reads the selected sessions of a node. `statements` selects full statements or templates.
    fn read<'a>(&'a self, node: &'a NodeUrl, selection: &'a Selection, statements: StatementText) -> ReadFuture<'a>;
}

/// Maximum number of attempts to get a connection to a node while other reads of this process use it.
/// By the last attempt, a hung read has been killed or abandoned.
const MAX_BUSY_ATTEMPTS: u32 = 12;

/// Reader of MySQL-compatible servers.
#[derive(Debug)]
pub(crate) struct ServerReader {
    pub(crate) limits: Limits,
    pub(crate) formula_guard: bool,
}

impl NodeReader for ServerReader {
    fn read<'a>(&'a self, node: &'a NodeUrl, selection: &'a Selection, statements: StatementText) -> ReadFuture<'a> {
        let form = OutputFormat::Csv { formula_guard: self.formula_guard };
        Box::pin(async move {
            let mut attempts_left = MAX_BUSY_ATTEMPTS;
            let snapshot = loop {
                attempts_left -= 1;
                match take_snapshot(node, selection, statements, form, &self.limits).await {
                    Err(failure) if failure.kind == FailureKind::Busy && attempts_left > 0 => {}
                    result => break result?,
                }
            };
            let mut body = snapshot.body;
            Ok(Rows::new(snapshot.summary.rows, move |out| body.write_to(out)))
        })
    }
}
