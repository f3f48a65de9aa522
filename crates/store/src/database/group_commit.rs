//! Group commit: concurrent writes share one transaction and one disk sync.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;

use clew_model::AuditEvent;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::database::Transaction;
use crate::database::audited_transaction::AuditedDatabase;
use crate::error::StoreError;

/// Maximum number of audit events, or of batched writes, in one transaction.
const MAX_BATCH_SIZE: usize = 512;

pub(crate) trait BatchedWrite: Send + Sync + 'static {
    type Output: Send + 'static;

    fn action(&self) -> &'static str;

    /// Executes the write in `transaction`, and again in a new transaction if another write in the batch fails.
    fn execute_write(
        &self,
        transaction: &mut Transaction,
    ) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

#[derive(Clone, Default)]
pub(crate) struct GroupCommit(Arc<Mutex<WriteQueue>>);

#[derive(Default)]
struct WriteQueue {
    pending: WriteBatch,
    is_writer_running: bool,
}

#[derive(Default)]
struct WriteBatch {
    /// Audit events that the batch appends after all other writes.
    events: Vec<QueuedAuditEvent>,
    writes: Vec<Box<dyn PendingWrite>>,
}

/// `at` is a Unix timestamp in milliseconds.
struct QueuedAuditEvent {
    at: i64,
    event: AuditEvent,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

trait PendingWrite: Send {
    fn execute_write<'a>(&'a mut self, transaction: &'a mut Transaction) -> WriteFuture<'a>;
    fn notify_caller(self: Box<Self>, committed: Result<(), StoreError>);
    fn action(&self) -> &'static str;
}

type WriteFuture<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

struct QueuedWrite<W: BatchedWrite> {
    write: W,
    output: Option<W::Output>,
    reply: oneshot::Sender<Result<W::Output, StoreError>>,
}

impl<W: BatchedWrite> PendingWrite for QueuedWrite<W> {
    fn execute_write<'a>(&'a mut self, transaction: &'a mut Transaction) -> WriteFuture<'a> {
        Box::pin(async move {
            self.output = Some(self.write.execute_write(transaction).await?);
            Ok(())
        })
    }

    fn notify_caller(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { output, reply, .. } = *self;
        // The caller may have been canceled.
        let _ = reply.send(committed.and_then(|()| output.ok_or(StoreError::Stopped)));
    }

    fn action(&self) -> &'static str {
        self.write.action()
    }
}

impl GroupCommit {
    pub(crate) async fn execute_write<W: BatchedWrite>(
        &self,
        database: AuditedDatabase,
        write: W,
    ) -> Result<W::Output, StoreError> {
        let (reply, response) = oneshot::channel();
        self.enqueue(database, |batch| batch.writes.push(Box::new(QueuedWrite { write, output: None, reply })));
        response.await.unwrap_or(Err(StoreError::Stopped))
    }

    pub(crate) async fn append_event(&self, database: AuditedDatabase, event: AuditEvent) -> Result<(), StoreError> {
        let (reply, response) = oneshot::channel();
        let at = database.clock.unix_millis();
        self.enqueue(database, |batch| batch.events.push(QueuedAuditEvent { at, event, reply }));
        response.await.unwrap_or(Err(StoreError::Stopped))
    }

    fn enqueue(&self, database: AuditedDatabase, add_to_batch: impl FnOnce(&mut WriteBatch)) {
        let is_idle = {
            let mut queue = self.0.lock();
            add_to_batch(&mut queue.pending);
            !mem::replace(&mut queue.is_writer_running, true)
        };
        if is_idle {
            let writer = WriterGuard { group_commit: self.clone(), finished: false };
            tokio::spawn(drain_write_queue(database, writer));
        }
    }

    fn take_batch(&self) -> Option<WriteBatch> {
        let mut queue = self.0.lock();
        let WriteBatch { events, writes } = &mut queue.pending;
        let (some_events, some_writes) = (events.len().min(MAX_BATCH_SIZE), writes.len().min(MAX_BATCH_SIZE));
        let batch =
            WriteBatch { events: events.drain(..some_events).collect(), writes: writes.drain(..some_writes).collect() };
        queue.is_writer_running = !batch.is_empty();
        queue.is_writer_running.then_some(batch)
    }
}

/// Guard that clears the write queue if the writer task panics or is canceled.
struct WriterGuard {
    group_commit: GroupCommit,
    finished: bool,
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        if !self.finished {
            let mut queue = self.group_commit.0.lock();
            queue.is_writer_running = false;
            queue.pending = WriteBatch::default();
        }
    }
}

async fn drain_write_queue(database: AuditedDatabase, mut writer: WriterGuard) {
    while let Some(batch) = writer.group_commit.take_batch() {
        batch.execute(&database).await;
    }
    writer.finished = true;
}

enum WriteBatchError {
    /// Index of the failed write in the batch, and its error.
    Write(usize, StoreError),
    Events(StoreError),
    /// `BEGIN` or `COMMIT` failed.
    Transaction(StoreError),
}

impl WriteBatch {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.writes.is_empty()
    }

    /// If a write fails, reports the error to the caller of that write and retries all other writes in a new transaction.
    async fn execute(mut self, database: &AuditedDatabase) {
        while !self.is_empty() {
            match self.try_execute(database).await {
                Ok(()) => return self.notify_callers(None),
                Err(WriteBatchError::Write(index, error)) => self.writes.remove(index).notify_caller(Err(error)),
                Err(WriteBatchError::Events(error)) => {
                    Self { events: mem::take(&mut self.events), writes: Vec::new() }
                        .notify_callers(Some(&Arc::new(error)));
                }
                Err(WriteBatchError::Transaction(error)) => return self.notify_callers(Some(&Arc::new(error))),
            }
        }
    }

    async fn try_execute(&mut self, database: &AuditedDatabase) -> Result<(), WriteBatchError> {
        let mut tx = database.begin("write to the database").await.map_err(WriteBatchError::Transaction)?;
        for (index, write) in self.writes.iter_mut().enumerate() {
            write.execute_write(tx.transaction()).await.map_err(|error| WriteBatchError::Write(index, error))?;
        }
        let events: Vec<_> = self.events.iter().map(|pending| (pending.at, &pending.event)).collect();
        tx.append_events(&database.keys, &events).await.map_err(WriteBatchError::Events)?;
        tx.commit().await.map_err(WriteBatchError::Transaction)
    }

    fn notify_callers(self, error: Option<&Arc<StoreError>>) {
        let outcome = |action| error.map_or(Ok(()), |error| Err(StoreError::from_shared(action, error.clone())));
        for event in self.events {
            // The caller may have been canceled.
            let _ = event.reply.send(outcome("write to the audit log"));
        }
        for write in self.writes {
            let outcome = outcome(write.action());
            write.notify_caller(outcome);
        }
    }
}
