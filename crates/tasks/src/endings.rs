//! Who waits for the end of a collection, and is told of it at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clew_model::RequestId;
use tokio_util::sync::CancellationToken;

/// The collections whose end somebody of this process waits for. Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Endings(Arc<Awaited>);

#[derive(Default)]
struct Awaited {
    collections: Mutex<HashMap<RequestId, Awaiting>>,
    /// Nobody shall wait any longer, for whatever collection.
    given_up: CancellationToken,
}

/// How many wait for one collection, and what tells them.
struct Awaiting {
    count: usize,
    ended: CancellationToken,
}

/// One who waits. Whoever is dropped waits no more.
pub(crate) struct Waiter {
    of: Endings,
    request_id: RequestId,
    ended: CancellationToken,
}

impl Endings {
    /// From now on the end is not missed, even if it comes before anybody looks.
    pub(crate) fn wait_for(&self, request_id: &RequestId) -> Waiter {
        let mut collections = self.lock();
        let awaiting = collections
            .entry(request_id.clone())
            .or_insert_with(|| Awaiting { count: 0, ended: self.0.given_up.child_token() });
        awaiting.count += 1;
        Waiter { of: self.clone(), request_id: request_id.clone(), ended: awaiting.ended.clone() }
    }

    /// It has ended, and the store says so.
    pub(crate) fn tell(&self, request_id: &RequestId) {
        if let Some(awaiting) = self.lock().get(request_id) {
            awaiting.ended.cancel();
        }
    }

    /// Everybody who waits, now or later, is told at once.
    pub(crate) fn give_up(&self) {
        self.0.given_up.cancel();
    }

    /// How many wait.
    pub(crate) fn waiters(&self) -> usize {
        self.lock().values().map(|awaiting| awaiting.count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Awaiting>> {
        self.0.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Returns once there is nothing more to wait for.
    pub(crate) async fn told(&self) {
        self.ended.cancelled().await;
    }

    pub(crate) fn is_told(&self) -> bool {
        self.ended.is_cancelled()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut collections = self.of.lock();
        if let Some(awaiting) = collections.get_mut(&self.request_id) {
            awaiting.count -= 1;
            if awaiting.count == 0 {
                collections.remove(&self.request_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_told_of_the_end_that_it_waits_for() {
        let endings = Endings::default();
        let (one, other) = (RequestId::generate(), RequestId::generate());
        let (first, second, elsewhere) = (endings.wait_for(&one), endings.wait_for(&one), endings.wait_for(&other));
        endings.tell(&one);
        first.told().await;
        assert!(second.is_told() && !elsewhere.is_told());
        endings.give_up();
        elsewhere.told().await;
        endings.wait_for(&other).told().await;
    }

    #[test]
    fn who_waits_no_more_is_forgotten() {
        let endings = Endings::default();
        let id = RequestId::generate();
        let (first, second) = (endings.wait_for(&id), endings.wait_for(&id));
        assert_eq!(endings.waiters(), 2);
        drop(first);
        endings.tell(&id);
        assert!(second.is_told() && endings.waiters() == 1);
        drop(second);
        assert_eq!((endings.waiters(), endings.lock().len()), (0, 0));
        assert!(!endings.wait_for(&id).is_told(), "told of what was before");
    }
}
