//! Reads a node's sessions and open transactions, and filters, sorts and encodes the rows of a snapshot.

mod detailed_snapshot;
mod encoder;
mod session_spill_buffer;

use std::io::{self, Write};

use clew_diagnose::{SortedRows, csv, json};
use clew_model::{Failure, Limitation, NodeUrl, SessionSelection};
use serde::Serialize;
use tempfile::SpooledTempFile;

use crate::connection::Connection;
use crate::connector::NodeConnector;
use crate::flavor::Flavor;
use crate::server_instance::ServerInstance;
use crate::transactions::TransactionsBySession;
use crate::{doctor, privileges, transactions};
use detailed_snapshot::DetailsBySession;
use encoder::read_sorted_rows;

/// Output format for the rows of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotFormat {
    /// CSV without a header row.
    Csv {
        /// If true, cells that a spreadsheet would evaluate as formulas are escaped.
        formula_guard: bool,
    },
    /// JSON objects separated by commas.
    Json,
}

/// Sessions to include in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionScope {
    /// Sessions of users.
    Users,
    /// All sessions in the process list, including internal sessions and Clew's own sessions.
    All,
}

/// Contents and format of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// Filters and order of the rows.
    pub selection: SessionSelection,
    /// Sessions to include.
    pub scope: SessionScope,
    /// If true, placeholders replace the literals in statements. See [`clew_diagnose::build_statement_template`].
    /// If `masked` is true, the `sql_key` filter does not search literals, because its matches could disclose them.
    pub masked: bool,
    /// Format of the rows.
    pub format: SnapshotFormat,
    /// If true, the snapshot includes the columns in [`clew_model::SESSION_DETAIL_COLUMNS`].
    /// The detail columns contain the statement digest, program name and lock wait of each session.
    pub detailed: bool,
}

impl SnapshotOptions {
    /// Creates options that select all user sessions, with complete statements and without the detail columns.
    #[must_use]
    pub fn new(format: SnapshotFormat) -> Self {
        Self {
            selection: SessionSelection::default(),
            scope: SessionScope::Users,
            masked: false,
            format,
            detailed: false,
        }
    }
}

/// Summary of a snapshot: server family, server version, number of rows, and notes about missing data.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotSummary {
    /// Server family.
    pub server_flavor: Flavor,
    /// Server version, from `VERSION()`.
    pub server_version: String,
    /// Number of rows.
    pub rows: u64,
    /// Limitations of the snapshot.
    pub limitations: Vec<Limitation>,
}

/// Snapshot of a node's sessions: a summary and the encoded rows.
#[derive(Debug)]
pub struct Snapshot {
    /// Summary of the snapshot.
    pub summary: SnapshotSummary,
    /// Encoded rows.
    pub body: EncodedRows,
}

/// Rows of a snapshot, encoded and sorted.
#[derive(Debug)]
pub struct EncodedRows {
    rows: SortedRows<SpooledTempFile>,
    format: SnapshotFormat,
    /// Values of the detail columns per session, or `None` if the snapshot has no detail columns.
    details: Option<DetailsBySession>,
}

impl EncodedRows {
    /// Writes all rows as CSV without a header, or as JSON array elements without the enclosing brackets.
    /// Performs blocking I/O. Async code must call this method on a blocking thread.
    /// Fails if writing to `out` or reading the temporary file fails.
    pub fn write_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.write_row_range(0, usize::MAX, out)
    }

    /// Skips the first `offset` rows and writes up to `limit` of the remaining rows. See [`Self::write_to`].
    pub fn write_row_range(&mut self, offset: usize, limit: usize, out: &mut dyn Write) -> io::Result<()> {
        let separator: &[u8] = if self.format == SnapshotFormat::Json { b",\n" } else { b"" };
        let (format, Some(details)) = (self.format, &self.details) else {
            return self.rows.write_row_range(offset, limit, out, separator, None);
        };
        let append_details = |session: u64, row: &mut Vec<u8>| {
            let detail = details.get(session);
            match format {
                SnapshotFormat::Csv { formula_guard } => csv::encode_detail_columns(row, &detail, formula_guard),
                SnapshotFormat::Json => json::encode_detail_fields(row, &detail),
            }
        };
        self.rows.write_row_range(offset, limit, out, separator, Some(&append_details))
    }
}

/// Takes a snapshot of the sessions of a node.
///
/// Fails after the read timeout.
/// If this function fails or its future is dropped, a background task kills Clew's running statement on the server.
/// To wait until all background kills have finished, call [`crate::ConnectionRegistry::wait_for_pending_kills`].
pub async fn take_snapshot(
    node: &NodeUrl,
    options: &SnapshotOptions,
    connector: &NodeConnector,
) -> Result<Snapshot, Failure> {
    Connection::run(node, connector, "reading sessions", async |connection| read_snapshot(connection, options).await)
        .await
}

/// Like [`take_snapshot`], but also returns the server instance for later kill requests.
pub async fn take_snapshot_with_server_instance(
    node: &NodeUrl,
    options: &SnapshotOptions,
    connector: &NodeConnector,
) -> Result<(ServerInstance, Snapshot), Failure> {
    Connection::run(node, connector, "reading sessions", async |connection| {
        Ok((connection.read_server_instance().await?, read_snapshot(connection, options).await?))
    })
    .await
}

async fn read_snapshot(connection: &mut Connection, options: &SnapshotOptions) -> Result<Snapshot, Failure> {
    if options.detailed {
        return detailed_snapshot::read_detailed_snapshot(connection, options).await;
    }
    let mut limitations = doctor::find_process_list_limitations(connection).await?;
    let transactions = transactions::read_visible_transactions(connection, None, &mut limitations).await?;
    let transactions = TransactionsBySession::new(transactions);
    let rows = read_sorted_rows(connection, options, transactions, |_| Ok(())).await?;
    privileges::suggest_default_roles(connection, &mut limitations).await?;
    let body = EncodedRows { rows, format: options.format, details: None };
    Ok(build_snapshot(connection, body, limitations))
}

fn build_snapshot(connection: &mut Connection, body: EncodedRows, mut limitations: Vec<Limitation>) -> Snapshot {
    limitations.append(&mut connection.limitations);
    let summary = SnapshotSummary {
        server_flavor: connection.flavor,
        server_version: connection.version.clone(),
        rows: body.rows.row_count(),
        limitations,
    };
    Snapshot { summary, body }
}
