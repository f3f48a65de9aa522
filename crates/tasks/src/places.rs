//! Places: how many collections are at work at once, and how many more wait for nodes that are silent.
//!
//! A read that gets on costs memory and a share of the processor; one whose node is silent costs a connection. So a read keeps its
//! place only while something comes. Where nothing does it waits aside, and the next collection takes the place.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeId};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use crate::reader::{Reading, Rows};
use crate::settings::Settings;

/// The places of a worker. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// For collections that get on.
    work: Arc<Semaphore>,
    /// For all of them, and so for their connections.
    all: Arc<Semaphore>,
    /// While so many reads are of silent nodes, no more of the same nodes are begun.
    most_silent: usize,
    patience: Duration,
    silent: Arc<Mutex<Silent>>,
}

/// Nodes from which nothing came for a while, now or when they were last read.
#[derive(Debug, Default)]
struct Silent {
    nodes: HashSet<NodeId>,
    /// Reads of them that are under way.
    reads: usize,
}

/// The place of one collection. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    work: Option<OwnedSemaphorePermit>,
    _one_of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(settings: &Settings) -> Self {
        let work = settings.concurrency.max(1);
        Self {
            work: Arc::new(Semaphore::new(work)),
            all: Arc::new(Semaphore::new(work.saturating_add(settings.waiting))),
            most_silent: settings.waiting,
            patience: settings.patience,
            silent: Arc::default(),
        }
    }

    /// All places that are free, as soon as there is one.
    pub(crate) async fn free(&self) -> Result<Vec<Place>, AcquireError> {
        let one_of_all = self.all.clone().acquire_owned().await?;
        let mut free = vec![self.place(one_of_all, self.work.clone().acquire_owned().await?)];
        while let Ok(one_of_all) = self.all.clone().try_acquire_owned()
            && let Ok(work) = self.work.clone().try_acquire_owned()
        {
            free.push(self.place(one_of_all, work));
        }
        Ok(free)
    }

    fn place(&self, one_of_all: OwnedSemaphorePermit, work: OwnedSemaphorePermit) -> Place {
        Place { places: self.clone(), work: Some(work), _one_of_all: one_of_all }
    }

    /// Nodes of which no further read may begin now: they are silent, and others must find room.
    pub(crate) fn set_aside(&self) -> Vec<NodeId> {
        let silent = self.silent();
        if silent.reads < self.most_silent { Vec::new() } else { silent.nodes.iter().cloned().collect() }
    }

    fn silent(&self) -> MutexGuard<'_, Silent> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Reads a node; without a place to work as long as nothing comes from it. One that was silent the last time has to speak first.
    pub(crate) async fn read(&mut self, node: &NodeId, mut reading: Reading<'_>) -> Result<Rows, Failure> {
        let mut silent = SilentRead::if_known(&self.places, node);
        let patience = if silent.is_some() { Duration::ZERO } else { self.places.patience };
        let news = Arc::new(News::default());
        let waker = Waker::from(news.clone());
        loop {
            self.work().await;
            if let Poll::Ready(read) = reading.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.places.learn(node, &read);
                return read;
            }
            // A read that has used up its share of the runtime's time says that it goes on: others come first.
            consume_budget().await;
            if timeout(patience, news.0.notified()).await.is_err() {
                silent.get_or_insert_with(|| SilentRead::begin(&self.places, node));
                self.work = None;
                news.0.notified().await;
            }
        }
    }

    /// A place to work, if this has none.
    async fn work(&mut self) {
        if self.work.is_none() {
            // It fails only when the semaphore is closed, which nobody does.
            self.work = self.places.work.clone().acquire_owned().await.ok();
        }
    }
}

impl Places {
    /// Whether the node let itself be waited for in vain.
    fn learn(&self, node: &NodeId, read: &Result<Rows, Failure>) {
        let mut silent = self.silent();
        match read {
            Err(failure) if matches!(failure.kind, FailureKind::TimedOut | FailureKind::Busy) => {
                silent.nodes.insert(node.clone())
            }
            _ => silent.nodes.remove(node),
        };
    }
}

/// A read of a silent node. It counts until it is dropped.
struct SilentRead(Places);

impl SilentRead {
    /// Where the node is known to be silent.
    fn if_known(places: &Places, node: &NodeId) -> Option<Self> {
        let known = places.silent().nodes.contains(node);
        known.then(|| Self::begin(places, node))
    }

    fn begin(places: &Places, node: &NodeId) -> Self {
        let mut silent = places.silent();
        silent.nodes.insert(node.clone());
        silent.reads += 1;
        drop(silent);
        Self(places.clone())
    }
}

impl Drop for SilentRead {
    fn drop(&mut self) {
        let mut silent = self.0.silent();
        silent.reads = silent.reads.saturating_sub(1);
    }
}

/// Something that the read waited for has come.
#[derive(Default)]
struct News(Notify);

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}
