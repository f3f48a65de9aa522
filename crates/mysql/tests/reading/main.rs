//! Tests of reads of real servers and of fake ones.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod ages;
mod connection_limit;
mod detailed_snapshot;
mod lost_instrumentation;
mod masking;
mod oracle;
mod privileges;
mod rogue;
mod server_defaults;
mod server_faults;
mod session_samples;
mod tls_modes;

use std::time::Duration;

use clew_model::{Failure, NodeUrl, SessionSelection};
use clew_mysql::{NodeConnector, Snapshot, SnapshotFormat, SnapshotOptions, take_snapshot};

/// Pause after which InnoDB refreshes its list of transactions: at the earliest 100 ms after the last read.
const TRANSACTION_LIST_AGE: Duration = Duration::from_millis(150);

thread_local! {
    /// Connector of the test that runs on this thread.
    static CONNECTOR: NodeConnector = NodeConnector::default();
}

/// Returns the connector of the current test. All operations of a test share one connection registry.
fn connector() -> NodeConnector {
    CONNECTOR.with(Clone::clone)
}

/// Returns the sessions of a node as CSV records.
async fn csv_of(url: &str, selection: &SessionSelection, formula_guard: bool) -> Vec<Vec<String>> {
    let mut snapshot = take(url, selection, formula_guard).await.unwrap();
    let mut body = Vec::new();
    snapshot.body.write_to(&mut body).unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_slice());
    let records: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().map(ToOwned::to_owned).collect()).collect();
    assert_eq!(records.len() as u64, snapshot.summary.rows);
    records
}

async fn take(url: &str, selection: &SessionSelection, formula_guard: bool) -> Result<Snapshot, Failure> {
    let node: NodeUrl = url.parse().unwrap();
    let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard });
    take_snapshot(&node, &SnapshotOptions { selection: selection.clone(), ..options }, &connector()).await
}
