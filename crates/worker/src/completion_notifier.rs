//! Notifies waiting callers in this process when a collection task completes.

use std::collections::HashMap;
use std::sync::Arc;

use clew_model::RequestId;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
pub(crate) struct CompletionNotifier(Arc<CollectionWaiterRegistry>);

#[derive(Default)]
struct CollectionWaiterRegistry {
    collections: Mutex<HashMap<RequestId, AwaitedCollection>>,
    /// Parent of all `completed` tokens.
    closed: CancellationToken,
}

struct AwaitedCollection {
    waiters: usize,
    completed: CancellationToken,
}

pub(crate) struct CompletionWaiter {
    notifier: CompletionNotifier,
    request_id: RequestId,
    pub(crate) completed: CancellationToken,
}

impl CompletionNotifier {
    pub(crate) fn subscribe_to_completion(&self, request_id: &RequestId) -> CompletionWaiter {
        let mut collections = self.0.collections.lock();
        let entry = collections
            .entry(request_id.clone())
            .or_insert_with(|| AwaitedCollection { waiters: 0, completed: self.0.closed.child_token() });
        entry.waiters += 1;
        CompletionWaiter { notifier: self.clone(), request_id: request_id.clone(), completed: entry.completed.clone() }
    }

    /// Call this function only after the store has recorded that the collection task is complete.
    pub(crate) fn notify_waiters(&self, request_id: &RequestId) {
        if let Some(entry) = self.0.collections.lock().get(request_id) {
            entry.completed.cancel();
        }
    }

    /// Callers that subscribe later are notified immediately.
    pub(crate) fn notify_all_and_close(&self) {
        self.0.closed.cancel();
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.0.collections.lock().values().map(|entry| entry.waiters).sum()
    }
}

impl Drop for CompletionWaiter {
    fn drop(&mut self) {
        let mut collections = self.notifier.0.collections.lock();
        if let Some(entry) = collections.get_mut(&self.request_id) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                collections.remove(&self.request_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn completion_notifies_only_waiters_of_that_collection() {
        let notifier = CompletionNotifier::default();
        let (one, other) = (RequestId::generate(), RequestId::generate());
        let (first, second, elsewhere) = (
            notifier.subscribe_to_completion(&one),
            notifier.subscribe_to_completion(&one),
            notifier.subscribe_to_completion(&other),
        );
        notifier.notify_waiters(&one);
        first.completed.cancelled().await;
        assert!(second.completed.is_cancelled() && !elsewhere.completed.is_cancelled());
        notifier.notify_all_and_close();
        elsewhere.completed.cancelled().await;
        notifier.subscribe_to_completion(&other).completed.cancelled().await;
    }

    #[test]
    fn dropped_waiter_is_unsubscribed() {
        let notifier = CompletionNotifier::default();
        let id = RequestId::generate();
        let (first, second) = (notifier.subscribe_to_completion(&id), notifier.subscribe_to_completion(&id));
        assert_eq!(notifier.waiter_count(), 2);
        drop(first);
        notifier.notify_waiters(&id);
        assert!(second.completed.is_cancelled() && notifier.waiter_count() == 1);
        drop(second);
        assert_eq!((notifier.waiter_count(), notifier.0.collections.lock().len()), (0, 0));
        assert!(
            !notifier.subscribe_to_completion(&id).completed.is_cancelled(),
            "new waiter received an earlier notification"
        );
    }
}
