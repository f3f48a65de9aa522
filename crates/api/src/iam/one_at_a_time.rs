//! One check of a name's password at a time: many guesses at once must not be more than many one after the other.
//!
//! One process serves a store, so it is enough to keep order within it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The names that somebody tries right now.
static TRIED: LazyLock<Mutex<HashMap<String, Arc<Turn<()>>>>> = LazyLock::new(Mutex::default);

/// Waits until nobody else tries this name. Others wait as long as what is returned is kept.
pub(crate) async fn turn(name: &str) -> OwnedMutexGuard<()> {
    let turn = {
        let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|_, turn| Arc::strong_count(turn) > 1);
        tried.entry(name.to_owned()).or_default().clone()
    };
    turn.lock_owned().await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_name_is_tried_by_one_at_a_time_and_forgotten_afterwards() {
        let first = turn("one").await;
        assert!(turn("one").now_or_never().is_none());
        let other = turn("other").now_or_never();
        assert!(other.is_some());
        drop(first);
        let again = turn("one").now_or_never();
        assert!(again.is_some());
        drop((other, again));
        let _last = turn("last").await;
        assert_eq!(TRIED.lock().unwrap().keys().collect::<Vec<_>>(), ["last"]);
    }
}
