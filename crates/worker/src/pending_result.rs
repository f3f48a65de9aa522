//! Writes collection results on blocking threads. Removes results that are canceled or never committed.

use std::io::{self, BufWriter, Write};

use clew_model::{Failure, FailureKind, RequestId};
use clew_store::{PublishedResult, ResultStore};
use tokio_util::sync::CancellationToken;

use crate::node_reader::SessionRows;
use crate::task_results::join_task;

const WRITE_BUFFER_SIZE: usize = 256 * 1024;

/// Dropping the value deletes the published result unless [`PendingResult::commit_result`] was called.
#[derive(Debug)]
pub(crate) struct PendingResult {
    results: ResultStore,
    pub(crate) published: PublishedResult,
    committed: bool,
}

impl PendingResult {
    /// A collection task may already reference the result, so it must not be deleted on drop.
    pub(crate) fn commit_result(&mut self) {
        self.committed = true;
    }
}

impl Drop for PendingResult {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        if let Err(error) = self.results.remove_result_in_background(&self.published.name) {
            tracing::warn!(result.name = %self.published.name, %error, "could not remove a discarded result");
        }
    }
}

/// Dropping the future cancels the write and removes the partial result.
pub(crate) async fn write_result(
    results: &ResultStore,
    request_id: &RequestId,
    fence: i64,
    rows: SessionRows,
) -> Result<PendingResult, Failure> {
    let (results, request_id) = (results.clone(), request_id.clone());
    let cancelled_on_drop = CancellationToken::new();
    let cancelled = cancelled_on_drop.clone();
    let _on_drop = cancelled_on_drop.drop_guard();
    let writing =
        tokio::task::spawn_blocking(move || write_result_blocking(results, &request_id, fence, rows, cancelled));
    join_task(writing).await.unwrap_or_else(|error| Err(result_write_failure(&error)))
}

fn write_result_blocking(
    results: ResultStore,
    request_id: &RequestId,
    fence: i64,
    rows: SessionRows,
    cancelled: CancellationToken,
) -> Result<PendingResult, Failure> {
    let writer = results.create_writer(request_id, fence).map_err(|error| result_write_failure(&error))?;
    let mut out = BufWriter::with_capacity(WRITE_BUFFER_SIZE, CancelableWriter { writer, cancelled });
    (rows.write)(&mut out).map_err(|error| result_write_failure(&error))?;
    let out = out.into_inner().map_err(|error| result_write_failure(error.error()))?;
    let published = out.writer.publish().map_err(|error| result_write_failure(&error))?;
    Ok(PendingResult { results, published, committed: false })
}

/// Writer that returns an error after cancellation, which ends the blocking thread.
struct CancelableWriter<W> {
    writer: W,
    cancelled: CancellationToken,
}

impl<W: Write> Write for CancelableWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(io::Error::other("the write of the result was cancelled"));
        }
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn result_write_failure(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::StoreFailed, format!("could not write the result: {error}"))
}
