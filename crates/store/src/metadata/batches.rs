//! Many writes, one transaction: a commit waits for the disk, and one wait is enough for all who came meanwhile.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clew_model::AuditEvent;
use tokio::sync::oneshot;

use crate::database::Connection;
use crate::error::StoreError;
use crate::store::Store;

/// So many events, and so many other writes, go into one transaction at most.
const MOST_AT_ONCE: usize = 512;

/// What can be written in one transaction with what others write.
pub(super) trait Write: Send + Sync + 'static {
    /// What its caller learns.
    type Answer: Send + 'static;

    /// In words, for an error that is not its own: of the begin or the commit.
    const DOING: &'static str;

    /// Its statements. Where another write of the same transaction fails they are run again in the next one.
    fn write(&self, connection: &mut Connection) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

/// What waits to be written.
#[derive(Clone, Default)]
pub(crate) struct Batches(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: Batch,
    /// Whether a task is at work that will look at `waiting` again.
    writing: bool,
}

/// What goes into one transaction.
#[derive(Default)]
struct Batch {
    /// Apart from the others, as the chain of the audit is prolonged once for all of them.
    events: Vec<WaitingEvent>,
    writes: Vec<Box<dyn Waiting>>,
}

/// An event of the audit, with its moment and who is to be told.
struct WaitingEvent {
    at: i64,
    event: AuditEvent,
    tell: oneshot::Sender<Result<(), StoreError>>,
}

/// A write of any kind, and who is to be told.
trait Waiting: Send {
    fn write<'a>(&'a mut self, connection: &'a mut Connection) -> Writing<'a>;
    fn tell(self: Box<Self>, committed: Result<(), StoreError>);
    fn doing(&self) -> &'static str;
}

type Writing<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

struct Asked<W: Write> {
    what: W,
    answer: Option<W::Answer>,
    tell: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Waiting for Asked<W> {
    fn write<'a>(&'a mut self, connection: &'a mut Connection) -> Writing<'a> {
        Box::pin(async move {
            self.answer = Some(self.what.write(connection).await?);
            Ok(())
        })
    }

    fn tell(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { answer, tell, .. } = *self;
        // Whoever is not there any more need not be told.
        let _ = tell.send(committed.and_then(|()| answer.ok_or(StoreError::Stopped)));
    }

    fn doing(&self) -> &'static str {
        W::DOING
    }
}

impl Store {
    /// Writes what is asked for, in one transaction with what others ask for meanwhile. It is durable when this returns. Once it waits
    /// it will be written, even if the caller is given up.
    pub(super) async fn write<W: Write>(&self, what: W) -> Result<W::Answer, StoreError> {
        let (tell, told) = oneshot::channel();
        self.wait_for_a_batch(|batch| batch.writes.push(Box::new(Asked { what, answer: None, tell })));
        told.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// The same for an event of the audit.
    pub(super) async fn write_event(&self, event: AuditEvent) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        let at = self.clock.milliseconds();
        self.wait_for_a_batch(|batch| batch.events.push(WaitingEvent { at, event, tell }));
        told.await.unwrap_or(Err(StoreError::Stopped))
    }

    fn wait_for_a_batch(&self, add: impl FnOnce(&mut Batch)) {
        let begin = {
            let mut queue = self.batches.lock();
            add(&mut queue.waiting);
            !mem::replace(&mut queue.writing, true)
        };
        if begin {
            tokio::spawn(write_all(self.clone(), Working { batches: self.batches.clone(), done: false }));
        }
    }
}

impl Batches {
    /// What waits, up to the limit; with nothing left the work is over.
    fn next(&self) -> Option<Batch> {
        let mut queue = self.lock();
        let Batch { events, writes } = &mut queue.waiting;
        let (some_events, some_writes) = (events.len().min(MOST_AT_ONCE), writes.len().min(MOST_AT_ONCE));
        let batch =
            Batch { events: events.drain(..some_events).collect(), writes: writes.drain(..some_writes).collect() };
        queue.writing = !batch.is_empty();
        queue.writing.then_some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task at work. If it ends before its time, those who wait are told, and the next write begins another one.
struct Working {
    batches: Batches,
    done: bool,
}

impl Drop for Working {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.batches.lock();
            queue.writing = false;
            queue.waiting = Batch::default();
        }
    }
}

async fn write_all(store: Store, mut working: Working) {
    while let Some(batch) = working.batches.next() {
        batch.write(&store).await;
    }
    working.done = true;
}

/// Why a transaction was not committed.
enum Undone {
    /// The write at this place failed.
    ByWrite(usize, StoreError),
    /// The audit takes no event.
    ByEvents(StoreError),
    /// What all have in common failed.
    ForAll(StoreError),
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.writes.is_empty()
    }

    /// Writes all. What fails is left out, and the others are written without it.
    async fn write(mut self, store: &Store) {
        while !self.is_empty() {
            match self.try_to_write(store).await {
                Ok(()) => return self.tell(None),
                Err(Undone::ByWrite(place, error)) => self.writes.remove(place).tell(Err(error)),
                Err(Undone::ByEvents(error)) => {
                    Self { events: mem::take(&mut self.events), writes: Vec::new() }.tell(Some(&Arc::new(error)));
                }
                Err(Undone::ForAll(error)) => return self.tell(Some(&Arc::new(error))),
            }
        }
    }

    async fn try_to_write(&mut self, store: &Store) -> Result<(), Undone> {
        let mut change = store.change("write to the database").await.map_err(Undone::ForAll)?;
        for (place, write) in self.writes.iter_mut().enumerate() {
            write.write(change.connection()).await.map_err(|error| Undone::ByWrite(place, error))?;
        }
        let events: Vec<_> = self.events.iter().map(|waiting| (waiting.at, &waiting.event)).collect();
        change.append(&store.keys, &events).await.map_err(Undone::ByEvents)?;
        change.commit().await.map_err(Undone::ForAll)
    }

    fn tell(self, error: Option<&Arc<StoreError>>) {
        let outcome = |doing| error.map_or(Ok(()), |error| Err(shared(doing, error.clone())));
        for event in self.events {
            // Whoever is not there any more need not be told.
            let _ = event.tell.send(outcome("record what was done"));
        }
        for write in self.writes {
            let outcome = outcome(write.doing());
            write.tell(outcome);
        }
    }
}

/// One error for all who wait for the same transaction.
fn shared(doing: &'static str, error: Arc<StoreError>) -> StoreError {
    StoreError::Database { doing, source: Box::new(error), remedy: "" }
}
