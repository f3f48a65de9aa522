//! Waits for spawned tasks, and logs when a repeated operation starts to fail and when it succeeds again.

use tokio::task::{JoinError, JoinHandle};

/// Panics if the task panicked, and returns an error only if the task was canceled.
pub(crate) async fn join_task<T>(task: JoinHandle<T>) -> Result<T, JoinError> {
    task.await.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => cancelled,
    })
}

/// Logs the first failure in a series of consecutive failures, and the first success after the series.
/// `$is_failing` must be a `bool` variable that keeps its value between calls.
macro_rules! log_first_failure {
    ($is_failing:ident, $result:expr, $failure:literal, $recovery:literal) => {
        match $result {
            Err(error) if !$is_failing => tracing::warn!(%error, $failure),
            Ok(_) if $is_failing => tracing::info!($recovery),
            _ => {}
        }
        $is_failing = $result.is_err();
    };
}

pub(crate) use log_first_failure;
