//! Holding a claimed collection: a worker that cannot say so in time no longer has it.

use std::time::Duration;

use clew_model::RequestId;
use clew_store::Store;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::warn;

/// Renews a lease that was taken at `taken` each third of its length. Returns once it is lost: taken by another worker, or
/// not renewed in time.
pub(crate) async fn hold(store: &Store, request_id: &RequestId, fence: i64, taken: Instant, lease: Duration) {
    let mut held_until = taken + lease;
    loop {
        sleep_until((Instant::now() + lease / 3).min(held_until)).await;
        let asked = Instant::now();
        match timeout_at(held_until, store.renew_lease(request_id, fence, lease)).await {
            Ok(Ok(true)) => held_until = asked + lease,
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => {
                warn!(task.request_id = %request_id, %error, "could not renew a lease yet");
                if Instant::now() >= held_until {
                    return;
                }
            }
        }
    }
}
