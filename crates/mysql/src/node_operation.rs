//! Limits the duration of operations on monitored servers, and converts panics of the packet decoder to failures.

use std::panic::AssertUnwindSafe;

use clew_model::{Failure, FailureKind, NodeUrl};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

use crate::limits::ReadLimits;

/// Runs `operation`, and fails if it exceeds the read timeout.
/// Callers should box a large `operation`, because this function embeds it in two nested futures.
/// `doing` describes the operation in the failure, such as `reading lock waits`.
pub(crate) async fn run_with_read_timeout<T>(
    node: &NodeUrl,
    limits: &ReadLimits,
    doing: &str,
    operation: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    run_with_deadline(node, limits, Instant::now() + limits.read_timeout, doing, operation).await
}

/// Like [`run_with_read_timeout`], but with a deadline that several operations share.
pub(crate) async fn run_with_deadline<T>(
    node: &NodeUrl,
    limits: &ReadLimits,
    deadline: Instant,
    doing: &str,
    operation: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let limit = limits.read_timeout.as_secs_f32();
    let timed_out = |_| {
        let detail = format!(
            "{}: no response within {limit} s while {doing}; behind a proxy, the statement may still run on the server",
            node.address()
        );
        Err(Failure::new(FailureKind::TimedOut, detail))
    };
    timeout_at(deadline, catch_panic(node, operation)).await.unwrap_or_else(timed_out)
}

/// Returns a failure if the packet decoder of `mysql_common` panics.
async fn catch_panic<T>(node: &NodeUrl, operation: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let panicked = |_| {
        Err(Failure::new(FailureKind::NotMysql, format!("{}: the server violated the MySQL protocol", node.address())))
    };
    AssertUnwindSafe(operation).catch_unwind().await.unwrap_or_else(panicked)
}
