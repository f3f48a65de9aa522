//! The whole audit as lines, read from the store as fast as the client takes them.

use std::io;

use axum::body::Bytes;
use clew_diagnose::json;
use clew_store::{AuditFilter, AuditRecord, Store, StoreError};
use futures_util::stream::{self, Stream};
use tracing::error;

use super::wire::AuditRow;
use crate::refusal::Refusal;

/// Rows that are read at a time.
const ROWS: u32 = 1000;

/// Where the next rows come from.
struct Rest {
    store: Store,
    filter: AuditFilter,
    rows: Vec<AuditRecord>,
}

/// One JSON object a line. What can be refused is refused before the first; an error later breaks the answer off.
pub(super) async fn lines(
    store: Store,
    filter: AuditFilter,
) -> Result<impl Stream<Item = io::Result<Bytes>> + Send, Refusal> {
    let rows = store.audit(&filter, 0, ROWS).await?;
    Ok(stream::try_unfold(Rest { store, filter, rows }, |mut rest| async move {
        let Some(last) = rest.rows.last().map(|row| row.seq) else { return Ok(None) };
        let next = rest.store.audit(&rest.filter, last, ROWS).await.map_err(broken)?;
        let lines = written(std::mem::replace(&mut rest.rows, next))?;
        Ok(Some((lines, rest)))
    }))
}

fn written(rows: Vec<AuditRecord>) -> io::Result<Bytes> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend_from_slice(json::to_string(&AuditRow::from(row))?.as_bytes());
        lines.push(b'\n');
    }
    Ok(lines.into())
}

fn broken(error: StoreError) -> io::Error {
    error!(%error, "the export of the audit broke off");
    io::Error::other(error)
}
