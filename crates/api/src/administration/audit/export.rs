//! Streams the audit log as JSON Lines.

use std::io;

use axum::body::Bytes;
use clew_diagnose::json;
use clew_store::{AuditFilter, AuditRecord, Store, StoreError};
use futures_util::stream::{self, Stream};
use tracing::error;

use super::wire::AuditRow;
use crate::error::ApiError;

const AUDIT_ROWS_PER_BATCH: u32 = 1000;

struct AuditExportCursor {
    store: Store,
    filter: AuditFilter,
    rows: Vec<AuditRecord>,
}

/// Returns an error if the first batch of rows cannot be read. Later read errors abort the stream.
pub(super) async fn stream_audit_rows(
    store: Store,
    filter: AuditFilter,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send, ApiError> {
    let rows = store.audit().list_audit_rows_after_seq(&filter, 0, AUDIT_ROWS_PER_BATCH).await?;
    Ok(stream::try_unfold(AuditExportCursor { store, filter, rows }, |mut state| async move {
        let Some(last) = state.rows.last().map(|row| row.seq) else { return Ok(None) };
        let next = state
            .store
            .audit()
            .list_audit_rows_after_seq(&state.filter, last, AUDIT_ROWS_PER_BATCH)
            .await
            .map_err(log_and_wrap_export_error)?;
        let lines = encode_json_lines(std::mem::replace(&mut state.rows, next))?;
        Ok(Some((lines, state)))
    }))
}

fn encode_json_lines(rows: Vec<AuditRecord>) -> io::Result<Bytes> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend_from_slice(json::to_string(&AuditRow::from(row))?.as_bytes());
        lines.push(b'\n');
    }
    Ok(lines.into())
}

fn log_and_wrap_export_error(error: StoreError) -> io::Error {
    error!(%error, "audit export failed");
    io::Error::other(error)
}
