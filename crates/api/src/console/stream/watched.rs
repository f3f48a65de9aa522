//! A node that is watched: one look at a time, for all who look at it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clew_model::{Failure, FailureKind, InstanceId, NodeId};
use clew_mysql::{LiveLook, LiveMemory, look_live};
use clew_store::LoginCause;
use clew_tasks::{Login, Pace, PaceChange};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info};
use uuid::Uuid;

use super::board::Board;
use super::event::{self, Position};
use super::live::Live;
use crate::Service;

/// A node that nobody looks at any more is remembered so long, for those who come back.
const REMEMBERED: Duration = Duration::from_secs(30);
/// From so many sessions on, what is done with all of them leaves the threads that answer.
const MANY: usize = 500;

#[derive(Debug)]
pub(super) struct Watched {
    instance: InstanceId,
    node: NodeId,
    board: Mutex<Board>,
    seats: Mutex<Seats>,
    /// Told to the watch when a seat is taken or left.
    moved: Notify,
    /// Told to the viewers when there is something new.
    news: watch::Sender<News>,
}

/// What is new, in short: whether it is worth a look at the board.
#[derive(Debug, Clone, Default)]
pub(super) struct News {
    /// Looks until now.
    pub(super) version: u32,
    /// Sessions on the board.
    sessions: usize,
    /// Why the node cannot be read, if it cannot, as an event; and the how many-th trouble that is.
    pub(super) trouble: Option<(u64, Bytes)>,
    troubles: u64,
}

/// What each viewer wishes for.
#[derive(Debug, Default)]
struct Seats {
    next: u64,
    wishes: HashMap<u64, Duration>,
}

/// A viewer's place: as long as it is kept, the node is watched.
#[derive(Debug)]
pub(super) struct Seat {
    watched: Arc<Watched>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.watched.seats().wishes.remove(&self.number);
        self.watched.moved.notify_one();
    }
}

impl Seat {
    pub(super) fn news(&self) -> watch::Receiver<News> {
        self.watched.news.subscribe()
    }

    /// What a viewer must be told who knows the list as of this position.
    pub(super) async fn told(&self, news: &News, known: Option<Position>, masked: bool) -> (Position, Bytes) {
        let watched = self.watched.clone();
        let telling = move || watched.board().told(known, masked);
        if news.sessions < MANY {
            return telling();
        }
        let watched = self.watched.clone();
        // It only fails with the runtime.
        spawn_blocking(telling).await.unwrap_or_else(|_| watched.board().told(known, masked))
    }
}

impl Watched {
    pub(super) fn new(instance: InstanceId, node: NodeId) -> Arc<Self> {
        let board = Mutex::new(Board::new(Uuid::new_v4().as_fields().0));
        let (seats, moved) = (Mutex::default(), Notify::new());
        Arc::new(Self { instance, node, board, seats, moved, news: watch::Sender::default() })
    }

    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }

    pub(super) fn seat(self: &Arc<Self>, wish: Duration) -> Seat {
        let mut seats = self.seats();
        seats.next += 1;
        let number = seats.next;
        seats.wishes.insert(number, wish);
        self.moved.notify_one();
        Seat { watched: self.clone(), number }
    }

    /// Whether nobody looks.
    pub(super) fn is_alone(&self) -> bool {
        self.seats().wishes.is_empty()
    }

    /// Looks at the node as long as somebody does, and until everything ends.
    pub(super) async fn watch(self: Arc<Self>, service: Service, live: Live) {
        debug!(node.id = %self.node, "a node is watched");
        let shutdown = live.shutdown();
        let _ = shutdown.run_until_cancelled(self.look_again_and_again(&service, &live)).await;
        debug!(node.id = %self.node, "a node is watched no more");
    }

    async fn look_again_and_again(self: &Arc<Self>, service: &Service, live: &Live) {
        let (mut pace, mut memory) = (Pace::default(), LiveMemory::default());
        // A viewer who opens the page requests the first look.
        let mut cause = LoginCause::Requested;
        loop {
            let Some(wish) = self.shortest_wish() else {
                cause = LoginCause::Requested;
                let nobody_came = timeout(REMEMBERED, self.moved.notified()).await.is_err();
                if nobody_came && live.forget(self) {
                    return;
                }
                continue;
            };
            pace.want(wish);
            let began = Instant::now();
            let looked = self.look(service, &mut memory, cause).await;
            cause = LoginCause::Automatic;
            // Of a look that failed nobody knows how long the node had to do with it.
            let took = looked.as_ref().map_or_else(|_| began.elapsed(), |look| look.took);
            self.keep_pace(&mut pace, took);
            match looked {
                Ok(look) => self.show(look, pace.interval()).await,
                Err(failure) => {
                    memory = LiveMemory::default();
                    self.trouble(&failure);
                }
            }
            self.wait(&mut pace, began).await;
        }
    }

    /// Until the next look is due, or nobody looks any more.
    async fn wait(&self, pace: &mut Pace, began: Instant) {
        while let Some(wish) = self.shortest_wish() {
            pace.want(wish);
            tokio::select! {
                () = sleep_until(began + pace.interval()) => return,
                // Somebody else's wish may be shorter.
                () = self.moved.notified() => {}
            }
        }
    }

    async fn look(&self, service: &Service, memory: &mut LiveMemory, cause: LoginCause) -> Result<LiveLook, Failure> {
        let failed = |error: clew_store::StoreError| Failure::new(FailureKind::StoreFailed, error.to_string());
        // Each time anew: it may have been moved, or removed.
        let node = service.store.node_to_read(&self.node).await.map_err(failed)?;
        let node = node.ok_or_else(|| Failure::new(FailureKind::NodeGone, self.node.to_string()))?;
        crate::nodes::reachable(service, &node)?;
        let threshold = service.store.slow_threshold(&self.instance).await.map_err(failed)?.unwrap_or_default();
        let login = Login::request(&service.store, &node.id, cause).await?;
        let looked = look_live(&node.url, memory, threshold.seconds(), &service.nodes.limits()).await;
        login.record(&node, looked.as_ref().err()).await;
        looked
    }

    fn keep_pace(&self, pace: &mut Pace, took: Duration) {
        match pace.looked(took) {
            Some(PaceChange::Slowed(interval)) => info!(
                node.id = %self.node, look.seconds = took.as_secs_f64(), look.interval_seconds = interval.as_secs_f64(),
                "a look at a node takes long; those who watch it see it less often"
            ),
            Some(PaceChange::Quick) => info!(node.id = %self.node, "a node is watched as often as is wanted again"),
            None => {}
        }
    }

    async fn show(self: &Arc<Self>, look: LiveLook, interval: Duration) {
        let at = Timestamp::now().as_millisecond();
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let watched = self.clone();
        let many = look.sessions.len() >= MANY;
        let taking = move || {
            let mut board = watched.board();
            board.take(at, look, interval_ms);
            (board.version(), board.sessions())
        };
        let taken = if many { spawn_blocking(taking).await } else { Ok(taking()) };
        let Ok((version, sessions)) = taken else { return };
        self.news.send_modify(|news| (news.version, news.sessions, news.trouble) = (version, sessions, None));
    }

    fn trouble(&self, failure: &Failure) {
        debug!(node.id = %self.node, %failure, "a node that is watched cannot be read");
        let at = Timestamp::now().as_millisecond();
        let mut text = String::new();
        let data = json!({ "at": at, "kind": failure.kind.name(), "reason": failure.detail });
        event::write(&mut text, None, "trouble", &data.to_string());
        self.news.send_modify(|news| {
            news.troubles += 1;
            news.trouble = Some((news.troubles, text.into()));
        });
    }

    fn shortest_wish(&self) -> Option<Duration> {
        self.seats().wishes.values().min().copied()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
