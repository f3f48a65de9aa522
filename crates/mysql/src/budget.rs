//! How many connections of this process a node has to bear: two at a time, whatever they are for.
//!
//! One is for reading. The other stays free for a kill, and for the end of a read that is given up: neither waits behind a read.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clew_model::{Failure, FailureKind};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Nodes that somebody is connected to, or waits for, by address.
static BUSY: LazyLock<Mutex<HashMap<String, Arc<Places>>>> = LazyLock::new(Mutex::default);

/// What somebody comes to a node for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Errand {
    /// To look. One reads at a time, the others wait.
    Reading,
    /// To end something, with the look that comes before. Waits for others that do the same, never for a read.
    Killing,
}

/// A connection that a node has to bear. Dropping it lets the next one come: the connection is closed first.
#[derive(Debug)]
pub(crate) struct Place {
    errand: Errand,
    requested: Instant,
    since: Instant,
    // Given back before the node is forgotten: fields are dropped in their order.
    _permit: OwnedSemaphorePermit,
    node: Node,
}

impl Place {
    /// A place at the node of this address. Fails if none is free for so long.
    pub(crate) async fn take(address: &str, errand: Errand, patience: Duration) -> Result<Self, Failure> {
        let (node, requested) = (Node::of(address), Instant::now());
        match timeout(patience, node.places.permit(errand)).await {
            Ok(Ok(permit)) => Ok(Self { errand, requested, since: Instant::now(), _permit: permit, node }),
            Ok(Err(_)) | Err(_) => Err(busy(address, errand, patience)),
        }
    }

    /// Where the node is.
    pub(crate) fn address(&self) -> &str {
        &self.node.address
    }

    /// When the wait for it was over.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// What it was taken for.
    pub(crate) fn errand(&self) -> Errand {
        self.errand
    }

    /// When it was requested.
    pub(crate) fn requested(&self) -> Instant {
        self.requested
    }
}

fn busy(address: &str, errand: Errand, patience: Duration) -> Failure {
    let doing = match errand {
        Errand::Reading => "Clew already reads this node, or ends a read there that hung, and reads it once at a time",
        Errand::Killing => "Clew already has two connections to this node, to kill there, and takes no third",
    };
    Failure::new(FailureKind::Busy, format!("{address}: {doing}; it was not done within {} s", patience.as_secs_f32()))
}

#[derive(Debug)]
struct Places {
    reading: Arc<Semaphore>,
    killing: Arc<Semaphore>,
}

impl Places {
    fn new() -> Self {
        Self { reading: Arc::new(Semaphore::new(1)), killing: Arc::new(Semaphore::new(1)) }
    }

    /// Who kills takes what is free, its own place first. A permit that comes too late, or twice, goes back by itself.
    async fn permit(&self, errand: Errand) -> Result<OwnedSemaphorePermit, AcquireError> {
        if errand == Errand::Reading {
            return self.reading.clone().acquire_owned().await;
        }
        tokio::select! {
            biased;
            permit = self.killing.clone().acquire_owned() => permit,
            permit = self.reading.clone().acquire_owned() => permit,
        }
    }
}

/// A node that somebody uses. When the last one is dropped, the node is forgotten.
#[derive(Debug)]
struct Node {
    address: String,
    places: Arc<Places>,
}

impl Node {
    fn of(address: &str) -> Self {
        let places = lock().entry(address.to_owned()).or_insert_with(|| Arc::new(Places::new())).clone();
        Self { address: address.to_owned(), places }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut busy = lock();
        // Nobody else comes to have it while the lock is held: this one and the map's are the last.
        if Arc::strong_count(&self.places) == 2 {
            busy.remove(&self.address);
        }
    }
}

fn lock() -> MutexGuard<'static, HashMap<String, Arc<Places>>> {
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn is_taken(address: &str, errand: Errand) -> bool {
        Place::take(address, errand, LONG).now_or_never().is_none()
    }

    #[tokio::test]
    async fn one_reads_and_one_kills() {
        let address = "budget-one.test:1";
        let reading = Place::take(address, Errand::Reading, LONG).await.unwrap();
        assert!(is_taken(address, Errand::Reading));
        let killing = Place::take(address, Errand::Killing, LONG).await.unwrap();
        assert!(is_taken(address, Errand::Killing));
        // Another node has its own.
        assert!(!is_taken("budget-other.test:1", Errand::Reading));
        drop(reading);
        // Who kills takes either, and then nobody reads.
        let second = Place::take(address, Errand::Killing, LONG).await.unwrap();
        assert!(is_taken(address, Errand::Reading));
        drop((killing, second));
        assert!(!is_taken(address, Errand::Reading));
    }

    #[tokio::test]
    async fn a_kill_does_not_wait_behind_those_who_wait_to_read() {
        let address = "budget-queue.test:1";
        let _reading = Place::take(address, Errand::Reading, LONG).await.unwrap();
        let mut queue: Vec<_> = (0..20).map(|_| Box::pin(Place::take(address, Errand::Reading, LONG))).collect();
        for waiting in &mut queue {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(!is_taken(address, Errand::Killing));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let address = "budget-given-up.test:1";
        let reading = Place::take(address, Errand::Reading, LONG).await.unwrap();
        let mut first = Box::pin(Place::take(address, Errand::Reading, LONG));
        let mut second = Box::pin(Place::take(address, Errand::Reading, LONG));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        // The place goes to the first, which is dropped before it learns that, and then to the second.
        drop(reading);
        drop(first);
        let place = (&mut second).now_or_never().expect("the place is lost").unwrap();
        drop((place, second));
        assert!(!lock().contains_key(address), "a node that nobody uses is kept");
    }

    #[tokio::test]
    async fn a_wait_has_an_end_that_says_why() {
        let address = "budget-end.test:1";
        let _reading = Place::take(address, Errand::Reading, LONG).await.unwrap();
        let _killing = Place::take(address, Errand::Killing, LONG).await.unwrap();
        for (errand, reason) in
            [(Errand::Reading, "Clew already reads this node"), (Errand::Killing, "two connections")]
        {
            let failure = Place::take(address, errand, Duration::from_millis(1)).await.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Busy);
            assert!(failure.detail.contains(reason) && failure.detail.contains("0.001 s"), "{failure}");
        }
    }
}
