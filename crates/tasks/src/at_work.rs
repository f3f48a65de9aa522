//! Saying now and then that a worker is at work: whoever looks at the zones learns which of them have none.

use std::time::Duration;

use clew_store::Store;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

/// Between two times; after 20 seconds without a word a worker counts as gone.
const EVERY: Duration = Duration::from_secs(5);
/// For the last word.
const LAST: Duration = Duration::from_secs(2);

/// Says so again and again. Never returns. Nothing but what others see depends on it.
pub(crate) async fn say(store: &Store, worker: &str) {
    let mut times = interval(EVERY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        if let Err(error) = store.worker_is_at_work(worker).await {
            debug!(%error, "could not say that this worker is at work");
        }
    }
}

/// Says that it takes nothing up any more.
pub(crate) async fn say_no_more(store: &Store, worker: &str) {
    if !matches!(timeout(LAST, store.worker_has_stopped(worker)).await, Ok(Ok(()))) {
        debug!("could not say that this worker has stopped");
    }
}
