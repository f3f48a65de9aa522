//! Limits the duration of operations on monitored servers, and converts panics of the packet decoder to failures.

use std::panic::AssertUnwindSafe;

use clew_model::{Failure, FailureKind, NodeUrl};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

use crate::connector::NodeConnector;

/// Runs `operation`, and fails if it exceeds the read timeout.
/// `doing` describes the operation in the failure, such as `reading lock waits`.
pub(crate) fn run_with_read_timeout<T>(
    node: &NodeUrl,
    connector: &NodeConnector,
    doing: &str,
    operation: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    run_with_deadline(node, connector, Instant::now() + connector.limits.read_timeout, doing, operation)
}

/// Like [`run_with_read_timeout`], but with a deadline that several operations share.
pub(crate) fn run_with_deadline<T>(
    node: &NodeUrl,
    connector: &NodeConnector,
    deadline: Instant,
    doing: &str,
    operation: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    // The operation is boxed, because its future is large and becomes part of several nested futures.
    let operation = Box::pin(catch_panic(node, operation));
    let limit = connector.limits.read_timeout.as_secs_f32();
    let timed_out = move |_| {
        let detail = format!(
            "{}: no response within {limit} s while {doing}; behind a proxy, the statement may still run on the server",
            node.address()
        );
        Err(Failure::new(FailureKind::TimedOut, detail))
    };
    async move { timeout_at(deadline, operation).await.unwrap_or_else(timed_out) }
}

/// Returns a failure if the packet decoder of `mysql_common` panics.
async fn catch_panic<T>(node: &NodeUrl, operation: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let panicked = |_| {
        Err(Failure::new(FailureKind::NotMysql, format!("{}: the server violated the MySQL protocol", node.address())))
    };
    AssertUnwindSafe(operation).catch_unwind().await.unwrap_or_else(panicked)
}
