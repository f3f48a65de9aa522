//! The client: asks for collections at a steady rate, and notes what it saw.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clew_client::{Client, ClientError, CollectionStatus, RequestId, SelectionRequest, Settings, Target};
use fastrand::Rng;
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::nodes::{Accepted, Inventory};

/// How long one question waits for the end of a collection.
const WAIT: Duration = Duration::from_secs(10);
/// After so long without any end nothing more is waited for: a lease, the time limit of a node and that of S3 are over by then.
pub(crate) const STUCK: Duration = Duration::from_mins(2);
/// Between two questions where one failed.
const AGAIN: Duration = Duration::from_millis(300);

/// Patient with nobody: what fails is asked of another server.
pub(crate) fn settings() -> Settings {
    Settings {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(20),
        attempts: 1,
        first_pause: Duration::from_millis(100),
        interruptions: 0,
        ..Settings::default()
    }
}

/// What became of one request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Under which fault it was sent.
    pub(crate) phase: usize,
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It has an id.
    Accepted(Box<Seen>),
    /// The server said no.
    Refused,
    /// There was no answer, or none that says whether it was done.
    Uncertain,
}

/// What the client saw of a collection.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) accepted: Accepted,
    /// The first that was not `running`.
    pub(crate) status: Option<CollectionStatus>,
    /// Of one that ended with an error.
    pub(crate) reason: Option<String>,
    /// Of one that finished.
    pub(crate) result: Option<Received>,
    /// What should not have been.
    pub(crate) wrong: Vec<String>,
}

/// A result that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// SHA-256 of its rows, without the header.
    pub(crate) sha256: String,
    /// What the server said that it is.
    pub(crate) told_sha256: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Who asks, and whom.
pub(crate) struct Asking {
    clients: Vec<Client>,
    inventory: Inventory,
    phase: AtomicUsize,
    /// Whether nothing is asked for any more.
    is_stopping: AtomicBool,
    /// When a collection came a step further last.
    last_step: Mutex<Instant>,
}

/// A load that goes on until it is stopped.
pub(crate) struct Load {
    asking: Arc<Asking>,
    stop: CancellationToken,
    going_on: JoinHandle<Vec<Asked>>,
}

impl Asking {
    pub(crate) fn new(clients: Vec<Client>, inventory: Inventory) -> Arc<Self> {
        Arc::new(Self {
            clients,
            inventory,
            phase: AtomicUsize::default(),
            is_stopping: AtomicBool::default(),
            last_step: Mutex::new(Instant::now()),
        })
    }

    /// A machine that is busy is slow; one on which nothing happens any more is stuck.
    fn is_over(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed) && self.last_step().elapsed() > STUCK
    }

    fn last_step(&self) -> MutexGuard<'_, Instant> {
        self.last_step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(self: Arc<Self>, mut rng: Rng) -> Option<Asked> {
        let phase = self.phase.load(Ordering::Relaxed);
        let (node, client) = (self.inventory.any(&mut rng)?, rng.choice(&self.clients)?);
        let answer = match client.collect(&node.instance, &node.id, &SelectionRequest::default()).await {
            Ok(id) => {
                let accepted = Accepted { id, node };
                let mut seen = Seen { accepted, status: None, reason: None, result: None, wrong: Vec::new() };
                self.follow(&mut seen, &mut rng).await;
                Answer::Accepted(Box::new(seen))
            }
            Err(ClientError::Api { status: 400..=499 | 503, .. } | ClientError::Connect { .. }) => Answer::Refused,
            Err(_) => Answer::Uncertain,
        };
        Some(Asked { phase, answer })
    }

    /// To its end, and to the last byte of what came of it.
    async fn follow(&self, seen: &mut Seen, rng: &mut Rng) {
        while !self.is_over() && seen.is_open() {
            let Some(client) = rng.choice(&self.clients) else { return };
            let before = seen.status;
            let took_a_step = match before {
                None => seen.wait(client).await,
                Some(CollectionStatus::Finished) => seen.download(client).await,
                Some(_) => seen.ask_why(client).await,
            };
            if !took_a_step {
                sleep(AGAIN).await;
            }
            if seen.status != before || !seen.is_open() {
                *self.last_step() = Instant::now();
            }
        }
    }

    /// Downloads it once more. An error is what it says.
    pub(crate) async fn download_again(&self, accepted: &Accepted, rng: &mut Rng) -> Result<Received, String> {
        let mut last = String::new();
        for _ in 0..3 {
            let Some(client) = rng.choice(&self.clients) else { break };
            match receive(client, accepted).await {
                Ok(received) => return Ok(received),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}

impl Seen {
    fn is_open(&self) -> bool {
        match self.status {
            None => true,
            Some(CollectionStatus::Finished) => self.result.is_none(),
            Some(CollectionStatus::Error) => self.reason.is_none(),
            Some(_) => false,
        }
    }

    /// Each of these three says whether it got on.
    async fn wait(&mut self, client: &Client) -> bool {
        let Accepted { id, node } = &self.accepted;
        match client.wait(&node.instance, &node.id, id, WAIT, |_, _| {}).await {
            Ok(status) => {
                if status == CollectionStatus::Unrecognized {
                    self.wrong.push("it was accepted, and then unknown".to_owned());
                }
                self.status = Some(status);
                true
            }
            Err(ClientError::StillRunning { .. }) => true,
            Err(_) => false,
        }
    }

    async fn ask_why(&mut self, client: &Client) -> bool {
        let Accepted { id, node } = &self.accepted;
        match client.download_error_reason(&node.instance, &node.id, id).await {
            Ok(Some(reason)) => self.reason = Some(reason),
            Ok(None) => {
                self.wrong.push("it ended with an error, and then had a result".to_owned());
                self.reason = Some(String::new());
            }
            Err(_) => return false,
        }
        true
    }

    async fn download(&mut self, client: &Client) -> bool {
        let received = receive(client, &self.accepted).await;
        if let Err(ClientError::Api { status: 400..=499, error_msg, .. }) = &received {
            self.wrong.push(format!("it finished, and then had no result: {error_msg}"));
        }
        self.result = received.ok();
        self.result.is_some()
    }
}

async fn receive(client: &Client, accepted: &Accepted) -> Result<Received, ClientError> {
    let mut memory = Memory::default();
    let Accepted { id, node } = accepted;
    let downloaded = client.download(&node.instance, &node.id, id, &mut memory, |_, _| {}).await?;
    let header = memory.0.iter().position(|byte| *byte == b'\n').map_or(memory.0.len(), |end| end + 1);
    let body = memory.0.get(header..).unwrap_or_default();
    let tag = downloaded.etag.unwrap_or_default();
    Ok(Received {
        sha256: hex::encode(Sha256::digest(body)),
        told_sha256: tag.trim_matches('"').split('-').next().unwrap_or_default().to_owned(),
        rows: (body.split(|byte| *byte == b'\n').count() - 1) as u64,
        bytes: body.len() as u64,
    })
}

impl Load {
    /// Begins to ask, so many times a second.
    pub(crate) fn start(asking: Arc<Asking>, per_second: f64, mut rng: Rng) -> Self {
        let stop = CancellationToken::new();
        let (asker, stopped) = (asking.clone(), stop.clone());
        let going_on = tokio::spawn(async move {
            let mut beats = interval(Duration::from_secs_f64(1.0 / per_second));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut under_way = JoinSet::new();
            while stopped.run_until_cancelled(beats.tick()).await.is_some() {
                under_way.spawn(asker.clone().ask(rng.fork()));
            }
            under_way.join_all().await.into_iter().flatten().collect()
        });
        Self { asking, stop, going_on }
    }

    /// What is asked from now on belongs to this fault.
    pub(crate) fn enter(&self, phase: usize) {
        self.asking.phase.store(phase, Ordering::Relaxed);
    }

    /// Asks no more, waits for the ends of what was asked for as long as there are any, and tells what became of all.
    pub(crate) async fn stop(self) -> Vec<Asked> {
        *self.asking.last_step() = Instant::now();
        self.asking.is_stopping.store(true, Ordering::Relaxed);
        self.stop.cancel();
        self.going_on.await.unwrap_or_default()
    }
}

/// Keeps what comes.
#[derive(Default)]
struct Memory(Vec<u8>);

impl Target for Memory {
    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.0.clear();
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of all that were accepted.
pub(crate) fn seen(asked: &[Asked]) -> impl Iterator<Item = (usize, &Seen)> {
    asked.iter().filter_map(|asked| match &asked.answer {
        Answer::Accepted(seen) => Some((asked.phase, &**seen)),
        _ => None,
    })
}

/// The id, where a message names it.
pub(crate) fn named(id: &RequestId, what: &str) -> String {
    format!("{id}: {what}")
}
