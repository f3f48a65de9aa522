//! Trait for reading a node's sessions, with an implementation for MySQL-compatible servers.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;

use clew_model::{Failure, FailureKind, Limitation, Node, NodeUrl, SessionSelection};
use clew_mysql::{NodeConnector, SnapshotFormat, SnapshotOptions, take_snapshot};
use clew_store::Store;

type WriteRowsFn = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// Rows read from a node, in CSV format without a header row.
pub struct SessionRows {
    pub(crate) count: u64,
    pub(crate) limitations: Vec<Limitation>,
    pub(crate) write: WriteRowsFn,
}

impl SessionRows {
    /// Creates a result with `count` rows. The closure `write` writes the rows and runs on a blocking thread.
    pub fn new(count: u64, write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Self {
        Self { count, limitations: Vec::new(), write: Box::new(write) }
    }
}

impl fmt::Debug for SessionRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRows").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Future that reads sessions from a node and returns their rows. Dropping the future cancels the read operation.
pub type ReadFuture<'a> = Pin<Box<dyn Future<Output = Result<SessionRows, Failure>> + Send + 'a>>;

/// Reads sessions from nodes.
/// An implementation must limit the duration of each read, because the worker waits until the read ends.
pub trait NodeReader: Send + Sync {
    /// Reads the selected sessions of a node.
    /// If `masked` is true, returns SQL templates instead of full SQL statements.
    fn read_sessions<'a>(&'a self, node: &'a NodeUrl, selection: &'a SessionSelection, masked: bool) -> ReadFuture<'a>;
}

/// A hung read holds its connection permit until Clew aborts the read.
/// The attempts cover the time that Clew needs to abort a hung read and release its connection permit.
const MAX_CONNECTION_PERMIT_ATTEMPTS: u32 = 12;

#[derive(Debug)]
pub(crate) struct MySqlNodeReader {
    pub(crate) connector: NodeConnector,
    pub(crate) formula_guard: bool,
}

impl NodeReader for MySqlNodeReader {
    fn read_sessions<'a>(&'a self, node: &'a NodeUrl, selection: &'a SessionSelection, masked: bool) -> ReadFuture<'a> {
        let format = SnapshotFormat::Csv { formula_guard: self.formula_guard };
        let options = SnapshotOptions { selection: selection.clone(), masked, ..SnapshotOptions::new(format) };
        Box::pin(async move {
            let mut attempts_left = MAX_CONNECTION_PERMIT_ATTEMPTS;
            let snapshot = loop {
                attempts_left -= 1;
                match take_snapshot(node, &options, &self.connector).await {
                    Err(failure) if failure.kind == FailureKind::Busy && attempts_left > 0 => {}
                    result => break result?,
                }
            };
            let mut body = snapshot.body;
            let rows = SessionRows::new(snapshot.summary.rows, move |out| body.write_to(out));
            Ok(SessionRows { limitations: snapshot.summary.limitations, ..rows })
        })
    }
}

/// Returns a [`FailureKind::Unreachable`] failure if the node is in a network zone that this process cannot reach.
pub fn require_reachable_network_zone(store: &Store, node: &Node) -> Result<(), Failure> {
    match &node.zone {
        Some(zone) if !store.is_zone_reachable(Some(zone)) => {
            let reason =
                format!("node {} is in zone {zone}, and this server is not (clew serve --zone {zone})", node.id);
            Err(Failure::new(FailureKind::Unreachable, reason))
        }
        _ => Ok(()),
    }
}
