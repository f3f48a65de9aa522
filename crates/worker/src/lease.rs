//! Renews the leases of collection tasks. A worker that cannot renew a lease in time loses the task.

use std::time::Duration;

use clew_model::RequestId;
use clew_store::Store;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::warn;

/// A lease is lost if it expires before the renewal or if another worker claims the collection task.
pub(crate) async fn renew_lease_until_lost(
    store: &Store,
    request_id: &RequestId,
    fence: i64,
    start: Instant,
    lease: Duration,
) {
    let mut expires_at = start + lease;
    loop {
        sleep_until((Instant::now() + lease / 3).min(expires_at)).await;
        let requested_at = Instant::now();
        match timeout_at(expires_at, store.tasks().renew_lease(request_id, fence, lease)).await {
            Ok(Ok(true)) => expires_at = requested_at + lease,
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => {
                warn!(task.request_id = %request_id, %error, "could not renew the lease; retrying");
                if Instant::now() >= expires_at {
                    return;
                }
            }
        }
    }
}
