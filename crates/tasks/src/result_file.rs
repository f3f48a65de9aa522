//! Writing a result off the runtime's threads, so that nothing is left of one that nobody wants any more.

use std::io::{self, BufWriter, Write};

use clew_model::{Failure, FailureKind, RequestId};
use clew_store::{PublishedResult, ResultStore};
use tokio_util::sync::CancellationToken;

use crate::reader::Rows;

/// Rows are small and many; the store gets them in pieces of this many bytes.
const BUFFER: usize = 256 * 1024;

/// A stored result that no task names yet. It is removed when this is dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct NewResult {
    results: ResultStore,
    published: PublishedResult,
    kept: bool,
}

impl NewResult {
    /// Its name, size and hash.
    pub(crate) fn published(&self) -> &PublishedResult {
        &self.published
    }

    /// A task names it, or may: from now on it is for retention or the sweep to remove.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for NewResult {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = self.results.discard(&self.published.name) {
            tracing::warn!(result.name = %self.published.name, %error, "could not remove a result that was thrown away");
        }
    }
}

/// Writes and publishes a result. Dropping the future ends the writing soon, and removes what was written.
pub(crate) async fn write(
    results: &ResultStore,
    request_id: &RequestId,
    fence: i64,
    rows: Rows,
) -> Result<NewResult, Failure> {
    let (results, request_id) = (results.clone(), request_id.clone());
    let dropped = CancellationToken::new();
    let unwanted = dropped.clone();
    let _on_drop = dropped.drop_guard();
    let writing = tokio::task::spawn_blocking(move || write_now(results, &request_id, fence, rows, unwanted));
    match writing.await {
        Ok(written) => written,
        Err(broken) => match broken.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(ended) => Err(store_failed(&ended)),
        },
    }
}

fn write_now(
    results: ResultStore,
    request_id: &RequestId,
    fence: i64,
    rows: Rows,
    unwanted: CancellationToken,
) -> Result<NewResult, Failure> {
    let writer = results.create(request_id, fence).map_err(|error| store_failed(&error))?;
    let mut out = BufWriter::with_capacity(BUFFER, WhileWanted { writer, unwanted });
    rows.write_to(&mut out).map_err(|error| store_failed(&error))?;
    let out = out.into_inner().map_err(|error| store_failed(error.error()))?;
    let published = out.writer.publish().map_err(|error| store_failed(&error))?;
    Ok(NewResult { results, published, kept: false })
}

/// Ends the writing once nobody waits for it: a thread that blocks cannot be ended from outside.
struct WhileWanted<W> {
    writer: W,
    unwanted: CancellationToken,
}

impl<W: Write> Write for WhileWanted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.unwanted.is_cancelled() {
            return Err(io::Error::other("the result is no longer wanted"));
        }
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn store_failed(error: &dyn std::error::Error) -> Failure {
    Failure::new(FailureKind::StoreFailed, format!("could not write the result: {error}"))
}
