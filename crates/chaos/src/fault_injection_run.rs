//! Runs a fault injection test, from starting the test cluster to checking the invariants.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clew_devtools::clew_server::RESULT_OBJECT_KEY_PREFIX;
use fastrand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cluster::TestCluster;
use crate::error::ChaosError;
use crate::failure_attribution::format_failure_label;
use crate::fault::{Fault, FaultTimeline};
use crate::fault_injector::FaultInjector;
use crate::invariants::{self, InvariantCheckInput};
use crate::nodes::AcceptedCollectionRequest;
use crate::report::{FaultInjectionReport, FaultSummary};
use crate::task_rows::{self, TaskRow};
use crate::workload::{
    self, DownloadedResult, STALL_TIMEOUT, Workload, WorkloadState, iter_accepted_collection_requests,
};

const WARM_UP_DURATION: Duration = Duration::from_secs(5);
const MAX_CONCURRENT_DOWNLOADS: usize = 16;
/// Folder in which the S3 server (SeaweedFS) stores incomplete multipart uploads.
const INCOMPLETE_UPLOAD_KEY_PREFIX: &str = ".uploads";

/// Options for a fault injection run.
#[derive(Debug, Clone)]
pub struct FaultInjectionOptions {
    /// Path of the `clew` program.
    pub clew: PathBuf,
    /// Existing directory for the logs of the Clew processes.
    pub logs: PathBuf,
    /// Seed for the random choice of fault times, affected processes and requested nodes.
    pub seed: u64,
    /// Faults to inject, in this order.
    pub faults: Vec<Fault>,
    /// Time during which the run repeatedly injects each fault. Each fault is injected at least once.
    pub duration_per_fault: Duration,
    /// Number of collections requested per second.
    pub requests_per_second: f64,
    /// Callback that receives each progress message.
    pub on_progress: fn(&str),
}

/// Runs a fault injection test under load and checks all invariants.
/// The kernel kills the cluster's processes when the calling thread exits.
pub async fn run(options: FaultInjectionOptions) -> Result<FaultInjectionReport, ChaosError> {
    let FaultInjectionOptions { clew, logs, seed, faults, .. } = options;
    let timeline = FaultTimeline::new(options.on_progress);
    let mut rng = Rng::with_seed(seed);
    timeline.print_progress(&format!("seed {seed}; logs in {}", logs.display()));
    let mut cluster = TestCluster::start(&clew, &logs).await?;
    task_rows::create_task_completion_trigger(&cluster.postgresql.url()).await?;
    timeline.print_progress("the cluster is running; starting the workload");
    let clients = cluster.create_api_clients(&workload::no_retry_client_settings())?;
    let pool = WorkloadState::new(clients, std::mem::take(&mut cluster.inventory));
    let workload = Workload::start(pool.clone(), options.requests_per_second, rng.fork());

    // All workers are busy after the warm-up.
    sleep(WARM_UP_DURATION).await;
    let mut injector = FaultInjector { cluster: &mut cluster, rng: rng.fork(), timeline: timeline.clone() };
    for (fault_index, fault) in faults.iter().enumerate() {
        workload.set_current_fault_index(fault_index);
        let until = Instant::now() + options.duration_per_fault;
        while {
            let pause = Duration::from_millis(injector.rng.u64(1_000..4_000));
            sleep(pause).await;
            injector.inject_fault(*fault, options.duration_per_fault).await?;
            Instant::now() < until
        } {}
    }
    timeline.print_progress("stopping the workload; waiting for the accepted collections");
    let requests = workload.stop().await;
    let rows = wait_for_collection_tasks(&cluster).await?;

    timeline.print_progress("downloading all results again");
    let finished: Vec<AcceptedCollectionRequest> = iter_accepted_collection_requests(&requests)
        .filter(|(_, record)| {
            rows.iter().any(|row| row.request_id == record.accepted.id.as_str() && row.status == "finished")
        })
        .map(|(_, record)| record.accepted.clone())
        .collect();
    let downloads = download_all_results(&pool, finished, &mut rng).await;

    let mut violations = stop_all_processes(&mut cluster).await;
    let logs = summarize_process_logs(&cluster);
    timeline.print_progress("removing orphaned results");
    let before = find_orphaned_objects(&cluster, &rows).await?;
    let store = cluster.open_store().await?;
    let known = store.tasks().list_referenced_result_names().await?;
    store.result_store().collect_garbage(known, Duration::ZERO).await?;
    let after = find_orphaned_objects(&cluster, &rows).await?;
    violations.extend(after.iter().map(|orphan| format!("{orphan} remains on S3 and belongs to no collection")));
    let events = timeline.events();
    let evidence = InvariantCheckInput {
        requests: &requests,
        rows: &rows,
        downloads: &downloads,
        events: &events,
        logged_completion_counts: &logs.completion_counts,
    };
    violations.extend(invariants::find_invariant_violations(&evidence));
    violations.extend(logs.panics);
    let mut failure_counts = BTreeMap::new();
    for row in rows.iter().filter(|row| row.status == "error") {
        *failure_counts.entry(format_failure_label(row)).or_default() += 1;
    }
    Ok(FaultInjectionReport {
        seed,
        failure_counts,
        summaries: FaultSummary::summarize_faults(&faults, &requests, &rows, &events),
        unconfirmed: rows.len().saturating_sub(iter_accepted_collection_requests(&requests).count()),
        downloaded: downloads.values().filter(|download| download.is_ok()).count(),
        orphans: (before.len(), after.len()),
        removed_orphan_count: logs.removed_orphan_count,
        violations,
    })
}

async fn wait_for_collection_tasks(cluster: &TestCluster) -> Result<Vec<TaskRow>, ChaosError> {
    let (mut open, mut last_completion) = (usize::MAX, Instant::now());
    loop {
        let rows = task_rows::read_task_rows(&cluster.postgresql.url()).await?;
        let still_open = rows.iter().filter(|row| row.ended_at.is_none()).count();
        if still_open < open {
            (open, last_completion) = (still_open, Instant::now());
        }
        if open == 0 || last_completion.elapsed() > STALL_TIMEOUT {
            return Ok(rows);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn download_all_results(
    pool: &Arc<WorkloadState>,
    collections: Vec<AcceptedCollectionRequest>,
    rng: &mut Rng,
) -> HashMap<String, Result<DownloadedResult, String>> {
    let mut downloads = HashMap::new();
    let mut running = JoinSet::new();
    for collection in collections {
        if running.len() >= MAX_CONCURRENT_DOWNLOADS
            && let Some(Ok((id, download))) = running.join_next().await
        {
            downloads.insert(id, download);
        }
        let (pool, mut rng) = (pool.clone(), rng.fork());
        running.spawn(async move {
            let download = pool.download_result_with_retries(&collection, &mut rng).await;
            (collection.id.as_str().to_owned(), download)
        });
    }
    downloads.extend(running.join_all().await);
    downloads
}

async fn stop_all_processes(cluster: &mut TestCluster) -> Vec<String> {
    let mut violations = Vec::new();
    for process in cluster.workers.iter_mut().chain(&mut cluster.servers) {
        if !process.stop().await {
            violations.push(format!("{} did not shut down gracefully", process.name));
        }
    }
    violations
}

async fn find_orphaned_objects(cluster: &TestCluster, rows: &[TaskRow]) -> Result<Vec<String>, ChaosError> {
    let objects = cluster.s3.list_objects(RESULT_OBJECT_KEY_PREFIX).await?;
    let mut orphans: Vec<String> =
        invariants::find_orphaned_objects(&objects, rows).into_iter().map(str::to_owned).collect();
    let uploads = cluster.s3.list_objects(INCOMPLETE_UPLOAD_KEY_PREFIX).await?;
    orphans.extend(uploads.into_iter().map(|upload| format!("the upload {upload}")));
    Ok(orphans)
}

#[derive(Default)]
struct ProcessLogSummary {
    completion_counts: HashMap<String, usize>,
    removed_orphan_count: u64,
    panics: Vec<String>,
}

fn summarize_process_logs(cluster: &TestCluster) -> ProcessLogSummary {
    let mut summary = ProcessLogSummary::default();
    for process in cluster.workers.iter().chain(&cluster.servers) {
        for line in process.read_log_from_offset(0).lines() {
            if line.contains("panicked at") {
                summary.panics.push(format!("{}: {line}", process.name));
            }
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
            if matches!(text("message"), "collection completed" | "collection failed") {
                *summary.completion_counts.entry(text("task.request_id").to_owned()).or_default() += 1;
            }
            summary.removed_orphan_count += line.get("results.swept").and_then(Value::as_u64).unwrap_or_default();
        }
    }
    summary
}
