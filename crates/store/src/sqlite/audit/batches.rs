//! Many events, one transaction: a commit waits for the disk, and one wait is enough for all who came meanwhile.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clew_model::AuditEvent;
use tokio::sync::oneshot;

use super::chain::append;
use crate::error::StoreError;
use crate::store::Store;

/// So many rows are written in one transaction at most.
const MOST_AT_ONCE: usize = 512;

/// An event that waits, with its moment and who is to be told.
struct Waiting {
    at: i64,
    event: AuditEvent,
    tell: oneshot::Sender<Result<(), StoreError>>,
}

/// The events that wait to be written.
#[derive(Clone, Default)]
pub(crate) struct Batches(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether a task is at work that will look at `waiting` again.
    writing: bool,
}

impl Batches {
    /// Returns when the event is on disk. Once it waits it will be written, even if the caller is given up meanwhile.
    pub(super) async fn record(&self, store: &Store, event: &AuditEvent) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        let begin = {
            let mut queue = self.lock();
            queue.waiting.push(Waiting { at: store.clock.milliseconds(), event: event.clone(), tell });
            !mem::replace(&mut queue.writing, true)
        };
        if begin {
            tokio::spawn(write_all(store.clone(), Working { batches: self.clone(), done: false }));
        }
        told.await.unwrap_or_else(|_| Err(StoreError::AuditStopped))
    }

    /// What waits, up to the limit; with nothing left the work is over.
    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.lock();
        let count = queue.waiting.len().min(MOST_AT_ONCE);
        queue.writing = count > 0;
        queue.waiting.drain(..count).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task at work. If it ends before its time, those who wait are told, and the next event begins another one.
struct Working {
    batches: Batches,
    done: bool,
}

impl Drop for Working {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.batches.lock();
            queue.writing = false;
            queue.waiting.clear();
        }
    }
}

async fn write_all(store: Store, mut working: Working) {
    loop {
        let batch = working.batches.next();
        if batch.is_empty() {
            working.done = true;
            return;
        }
        let written = write(&store, &batch).await.map_err(Arc::new);
        for waiting in batch {
            // Whoever is not there any more need not be told.
            let _ = waiting.tell.send(written.clone().map_err(shared));
        }
    }
}

async fn write(store: &Store, batch: &[Waiting]) -> Result<(), StoreError> {
    let events: Vec<_> = batch.iter().map(|waiting| (waiting.at, &waiting.event)).collect();
    let mut change = store.change("write to the audit").await?;
    append(change.connection(), &store.keys.audit, &events).await?;
    change.commit().await
}

/// One error for all who wait for the same transaction.
fn shared(error: Arc<StoreError>) -> StoreError {
    StoreError::Database { doing: "record what was done", source: Box::new(error), remedy: "" }
}
