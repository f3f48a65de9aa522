//! Client workload that requests collections at a constant rate and records the responses.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clew_client::{Client, ClientError, CollectionStatus, DownloadSink, RequestId, Settings, StartCollectionRequest};
use fastrand::Rng;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::nodes::{AcceptedCollectionRequest, NodeInventory};

const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without progress in any collection after which the run stops waiting for collections.
/// `STALL_TIMEOUT` exceeds the lease duration of a collection task, the node read timeout and the S3 request timeouts.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_mins(2);
const REQUEST_RETRY_DELAY: Duration = Duration::from_millis(300);

/// The workload itself retries failed requests on another server.
pub(crate) fn no_retry_client_settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(20),
        max_attempts: 1,
        initial_backoff: Duration::from_millis(100),
        max_interruptions: 0,
        ..Settings::default()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct RequestRecord {
    pub(crate) fault_index: usize,
    pub(crate) outcome: RequestOutcome,
}

#[derive(Debug, Clone)]
pub(crate) enum RequestOutcome {
    Accepted(Box<CollectionRecord>),
    /// The server rejected the collection request, or the client could not connect to the server.
    Refused,
    /// The request failed, and the client cannot determine whether the server enqueued the collection.
    Uncertain,
}

#[derive(Debug, Clone)]
pub(crate) struct CollectionRecord {
    pub(crate) accepted: AcceptedCollectionRequest,
    pub(crate) status: Option<CollectionStatus>,
    pub(crate) reason: Option<String>,
    pub(crate) result: Option<DownloadedResult>,
    pub(crate) violations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DownloadedResult {
    /// SHA-256 hash of the result rows, excluding the header row.
    pub(crate) sha256: String,
    pub(crate) etag_sha256: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct WorkloadState {
    clients: Vec<Client>,
    inventory: NodeInventory,
    fault_index: AtomicUsize,
    is_stopping: AtomicBool,
    last_progress: Mutex<Instant>,
}

pub(crate) struct Workload {
    pool: Arc<WorkloadState>,
    stop: CancellationToken,
    task: JoinHandle<Vec<RequestRecord>>,
}

impl WorkloadState {
    pub(crate) fn new(clients: Vec<Client>, inventory: NodeInventory) -> Arc<Self> {
        Arc::new(Self {
            clients,
            inventory,
            fault_index: AtomicUsize::default(),
            is_stopping: AtomicBool::default(),
            last_progress: Mutex::new(Instant::now()),
        })
    }

    fn has_stalled(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed) && self.last_progress.lock().elapsed() > STALL_TIMEOUT
    }

    async fn run_collection_request(self: Arc<Self>, mut rng: Rng) -> Option<RequestRecord> {
        let fault_index = self.fault_index.load(Ordering::Relaxed);
        let (node, client) = (self.inventory.choose_random_node(&mut rng)?, rng.choice(&self.clients)?);
        let outcome = match client.start_collection(&node.instance, &node.id, &StartCollectionRequest::default()).await
        {
            Ok(id) => {
                let accepted = AcceptedCollectionRequest { id, node };
                let mut record =
                    CollectionRecord { accepted, status: None, reason: None, result: None, violations: Vec::new() };
                self.track_collection_to_completion(&mut record, &mut rng).await;
                RequestOutcome::Accepted(Box::new(record))
            }
            Err(ClientError::Api { status: 400..=499 | 503, .. } | ClientError::Connect { .. }) => {
                RequestOutcome::Refused
            }
            Err(_) => RequestOutcome::Uncertain,
        };
        Some(RequestRecord { fault_index, outcome })
    }

    async fn track_collection_to_completion(&self, record: &mut CollectionRecord, rng: &mut Rng) {
        while !self.has_stalled() && record.has_missing_responses() {
            let Some(client) = rng.choice(&self.clients) else { return };
            let before = record.status;
            let made_progress = match before {
                None => record.wait_for_final_status(client).await,
                Some(CollectionStatus::Finished) => record.fetch_collection_result(client).await,
                Some(_) => record.try_fetch_failure_reason(client).await,
            };
            if !made_progress {
                sleep(REQUEST_RETRY_DELAY).await;
            }
            if record.status != before || !record.has_missing_responses() {
                *self.last_progress.lock() = Instant::now();
            }
        }
    }

    pub(crate) async fn download_result_with_retries(
        &self,
        accepted: &AcceptedCollectionRequest,
        rng: &mut Rng,
    ) -> Result<DownloadedResult, String> {
        let mut last = String::new();
        for _ in 0..3 {
            let Some(client) = rng.choice(&self.clients) else { break };
            match download_result(client, accepted).await {
                Ok(download) => return Ok(download),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}

impl CollectionRecord {
    fn has_missing_responses(&self) -> bool {
        match self.status {
            None => true,
            Some(CollectionStatus::Finished) => self.result.is_none(),
            Some(CollectionStatus::Error) => self.reason.is_none(),
            Some(_) => false,
        }
    }

    /// Returns false if the request failed.
    async fn wait_for_final_status(&mut self, client: &Client) -> bool {
        let AcceptedCollectionRequest { id, node } = &self.accepted;
        match client.wait_for_collection_task(&node.instance, &node.id, id, LONG_POLL_TIMEOUT, |_, _| {}).await {
            Ok(status) => {
                if status == CollectionStatus::Unrecognized {
                    self.violations.push("it was accepted and is unknown later".to_owned());
                }
                self.status = Some(status);
                true
            }
            Err(ClientError::StillRunning { .. }) => true,
            Err(_) => false,
        }
    }

    /// Returns false if the request failed.
    async fn try_fetch_failure_reason(&mut self, client: &Client) -> bool {
        let AcceptedCollectionRequest { id, node } = &self.accepted;
        match client.fetch_collection_failure_reason(&node.instance, &node.id, id).await {
            Ok(Some(reason)) => self.reason = Some(reason),
            Ok(None) => {
                self.violations.push("it failed and has a result later".to_owned());
                self.reason = Some(String::new());
            }
            Err(_) => return false,
        }
        true
    }

    /// Returns false if the download failed.
    async fn fetch_collection_result(&mut self, client: &Client) -> bool {
        let download = download_result(client, &self.accepted).await;
        if let Err(ClientError::Api { status: 400..=499, error_msg, .. }) = &download {
            self.violations.push(format!("it finished and has no result later: {error_msg}"));
        }
        self.result = download.ok();
        self.result.is_some()
    }
}

async fn download_result(
    client: &Client,
    accepted: &AcceptedCollectionRequest,
) -> Result<DownloadedResult, ClientError> {
    let mut memory = InMemoryDownloadSink::default();
    let AcceptedCollectionRequest { id, node } = accepted;
    let downloaded = client.download(&node.instance, &node.id, id, &mut memory, |_, _| {}).await?;
    let header = memory.0.iter().position(|byte| *byte == b'\n').map_or(memory.0.len(), |end| end + 1);
    let body = memory.0.get(header..).unwrap_or_default();
    let tag = downloaded.etag.unwrap_or_default();
    Ok(DownloadedResult {
        sha256: hex::encode(Sha256::digest(body)),
        etag_sha256: tag.trim_matches('"').split('-').next().unwrap_or_default().to_owned(),
        rows: (body.split(|byte| *byte == b'\n').count() - 1) as u64,
        bytes: body.len() as u64,
    })
}

impl Workload {
    pub(crate) fn start(pool: Arc<WorkloadState>, per_second: f64, mut rng: Rng) -> Self {
        let stop = CancellationToken::new();
        let (clients, stopped) = (pool.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut running = JoinSet::new();
            while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
                running.spawn(clients.clone().run_collection_request(rng.fork()));
            }
            running.join_all().await.into_iter().flatten().collect()
        });
        Self { pool, stop, task }
    }

    pub(crate) fn set_current_fault_index(&self, fault_index: usize) {
        self.pool.fault_index.store(fault_index, Ordering::Relaxed);
    }

    /// Stops requesting collections, then waits until the accepted collections complete or stop making progress.
    pub(crate) async fn stop(self) -> Vec<RequestRecord> {
        *self.pool.last_progress.lock() = Instant::now();
        self.pool.is_stopping.store(true, Ordering::Relaxed);
        self.stop.cancel();
        self.task.await.unwrap_or_default()
    }
}

#[derive(Default)]
struct InMemoryDownloadSink(Vec<u8>);

impl DownloadSink for InMemoryDownloadSink {
    async fn append_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
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

/// Returns each accepted collection request and the index of the fault that was active at the time of the request.
pub(crate) fn iter_accepted_collection_requests(
    requests: &[RequestRecord],
) -> impl Iterator<Item = (usize, &CollectionRecord)> {
    requests.iter().filter_map(|request| match &request.outcome {
        RequestOutcome::Accepted(record) => Some((request.fault_index, &**record)),
        _ => None,
    })
}

pub(crate) fn format_invariant_violation(id: &RequestId, violation: &str) -> String {
    format!("{id}: {violation}")
}
