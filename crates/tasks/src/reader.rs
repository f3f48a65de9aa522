//! How a node is read: from a MySQL-compatible server, or from whatever stands in for one.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;

use clew_model::{Failure, FailureKind, NodeUrl, Selection};
use clew_mysql::{Form, Limits, Statements, take_snapshot};

/// Writes all rows, in order. Blocks.
type WriteRows = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// What was read of a node: CSV rows without a header, not yet written.
pub struct Rows {
    count: u64,
    write: WriteRows,
}

impl Rows {
    /// `count` rows that `write` writes. It runs off the runtime's threads and may block.
    pub fn new(count: u64, write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Self {
        Self { count, write: Box::new(write) }
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Writes them.
    pub(crate) fn write_to(self, out: &mut dyn Write) -> io::Result<()> {
        (self.write)(out)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("count", &self.count).finish_non_exhaustive()
    }
}

/// A read under way. Dropping it gives the read up.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Rows, Failure>> + Send + 'a>>;

/// Reads nodes. It must keep its own time limit: a worker waits for it as long as it holds the lease.
pub trait NodeReader: Send + Sync {
    /// Reads the selected sessions of a node, with this much of their statements.
    fn read<'a>(&'a self, node: &'a NodeUrl, selection: &'a Selection, statements: Statements) -> Reading<'a>;
}

/// How often a collection waits for its turn at a node that Clew itself keeps busy: nobody waits for its answer, and by then a read that
/// hung has been killed or is forgotten.
const TURNS: u32 = 12;

/// Reads real servers.
#[derive(Debug)]
pub(crate) struct ServerReader {
    pub(crate) limits: Limits,
    pub(crate) formula_guard: bool,
}

impl NodeReader for ServerReader {
    fn read<'a>(&'a self, node: &'a NodeUrl, selection: &'a Selection, statements: Statements) -> Reading<'a> {
        let form = Form::Csv { formula_guard: self.formula_guard };
        Box::pin(async move {
            let mut turns = TURNS;
            let snapshot = loop {
                turns -= 1;
                match take_snapshot(node, selection, statements, form, &self.limits).await {
                    Err(failure) if failure.kind == FailureKind::Busy && turns > 0 => {}
                    taken => break taken?,
                }
            };
            let mut body = snapshot.body;
            Ok(Rows::new(snapshot.summary.rows, move |out| body.write_to(out)))
        })
    }
}
