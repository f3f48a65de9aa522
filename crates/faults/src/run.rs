//! Sequence of a run, from the start of the cluster to the checks.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, RESULT_PREFIX};
use crate::db_trace::{self, TaskRow};
use crate::error::FaultsError;
use crate::failure_attribution::failure_label;
use crate::fault::Fault;
use crate::injector::Injector;
use crate::invariants::{self, Evidence};
use crate::nodes::Accepted;
use crate::report::{FaultSummary, Report};
use crate::timeline::Timeline;
use crate::workload::{self, ClientPool, Download, STALL_TIMEOUT, Workload, accepted_records};

/// Time under load before the first fault.
const WARM_UP: Duration = Duration::from_secs(5);
/// Maximum number of concurrent downloads at the end.
const MAX_CONCURRENT_DOWNLOADS: usize = 16;
/// Folder of incomplete multipart uploads in the S3 server.
const UPLOADS_PREFIX: &str = ".uploads";

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Path of the `clew` program.
    pub clew: PathBuf,
    /// Existing directory for the logs of the Clew processes.
    pub logs: PathBuf,
    /// Seed of the random choices: times, processes and requests.
    pub seed: u64,
    /// Faults in the order of injection.
    pub faults: Vec<Fault>,
    /// Time for the repeated injection of each fault. Each fault is injected at least once.
    pub duration_per_fault: Duration,
    /// Requested collections per second.
    pub requests_per_second: f64,
    /// Receives progress messages.
    pub on_progress: fn(&str),
}

/// Injects the faults under load and checks all invariants.
/// The kernel kills the cluster's processes when the calling thread exits.
pub async fn run(options: Options) -> Result<Report, FaultsError> {
    let Options {
        clew,
        logs,
        seed,
        faults,
        duration_per_fault: for_each,
        requests_per_second: per_second,
        on_progress: tell,
    } = options;
    let timeline = Timeline::new(tell);
    let mut rng = Rng::with_seed(seed);
    timeline.log(&format!("seed {seed}; logs in {}", logs.display()));
    let mut cluster = Cluster::start(&clew, &logs).await?;
    db_trace::install_trigger(&cluster.metadata.url()).await?;
    timeline.log("the cluster is running; starting the workload");
    let clients = cluster.clients(&workload::client_settings())?;
    let pool = ClientPool::new(clients, std::mem::take(&mut cluster.inventory));
    let workload = Workload::start(pool.clone(), per_second, rng.fork());

    // All workers are busy after the warm-up.
    sleep(WARM_UP).await;
    let mut injector = Injector { cluster: &mut cluster, rng: rng.fork(), timeline: timeline.clone() };
    for (phase, fault) in faults.iter().enumerate() {
        workload.set_phase(phase);
        let until = Instant::now() + for_each;
        while {
            let pause = Duration::from_millis(injector.rng.u64(1_000..4_000));
            sleep(pause).await;
            injector.inject(*fault, for_each).await?;
            Instant::now() < until
        } {}
    }
    timeline.log("stopping the workload; waiting for the accepted collections");
    let requests = workload.stop().await;
    let rows = wait_for_completion(&cluster).await?;

    timeline.log("downloading all results again");
    let finished: Vec<Accepted> = accepted_records(&requests)
        .filter(|(_, record)| {
            rows.iter().any(|row| row.request_id == record.accepted.id.as_str() && row.status == "finished")
        })
        .map(|(_, record)| record.accepted.clone())
        .collect();
    let downloads = download_all(&pool, finished, &mut rng).await;

    let mut violations = stop_all(&mut cluster).await;
    let logs = parse_logs(&cluster);
    timeline.log("removing orphaned results");
    let before = find_orphans(&cluster, &rows).await?;
    let store = cluster.store().await?;
    let known = store.referenced_result_names().await?;
    store.results().collect_garbage(known, Duration::ZERO).await?;
    let after = find_orphans(&cluster, &rows).await?;
    violations.extend(after.iter().map(|orphan| format!("{orphan} remains on S3 and belongs to no collection")));
    let events = timeline.events();
    let evidence = Evidence {
        requests: &requests,
        rows: &rows,
        downloads: &downloads,
        events: &events,
        logged_completions: &logs.completions,
    };
    violations.extend(invariants::violations(&evidence));
    violations.extend(logs.panics);
    let mut failures = BTreeMap::new();
    for row in rows.iter().filter(|row| row.status == "error") {
        *failures.entry(failure_label(row)).or_default() += 1;
    }
    Ok(Report {
        seed,
        failures,
        summaries: FaultSummary::summarize(&faults, &requests, &rows, &events),
        unconfirmed: rows.len().saturating_sub(accepted_records(&requests).count()),
        downloaded: downloads.values().filter(|download| download.is_ok()).count(),
        orphans: (before.len(), after.len()),
        swept: logs.swept,
        violations,
    })
}

/// Waits until all collections are completed, or none completes for [`STALL_TIMEOUT`]. Returns the rows.
async fn wait_for_completion(cluster: &Cluster) -> Result<Vec<TaskRow>, FaultsError> {
    let (mut open, mut last_completion) = (usize::MAX, Instant::now());
    loop {
        let rows = db_trace::read_task_rows(&cluster.metadata.url()).await?;
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

async fn download_all(
    pool: &Arc<ClientPool>,
    collections: Vec<Accepted>,
    rng: &mut Rng,
) -> HashMap<String, Result<Download, String>> {
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
            let download = pool.download_again(&collection, &mut rng).await;
            (collection.id.as_str().to_owned(), download)
        });
    }
    downloads.extend(running.join_all().await);
    downloads
}

/// Stops all Clew processes gracefully. Returns a violation for each failed shutdown.
async fn stop_all(cluster: &mut Cluster) -> Vec<String> {
    let mut violations = Vec::new();
    for process in cluster.workers.iter_mut().chain(&mut cluster.servers) {
        if !process.stop().await {
            violations.push(format!("{} did not shut down gracefully", process.name));
        }
    }
    violations
}

/// Returns the results and incomplete uploads on S3 that belong to no collection.
async fn find_orphans(cluster: &Cluster, rows: &[TaskRow]) -> Result<Vec<String>, FaultsError> {
    let objects = cluster.results.objects(RESULT_PREFIX).await?;
    let mut orphans: Vec<String> = invariants::find_orphans(&objects, rows).into_iter().map(str::to_owned).collect();
    let uploads = cluster.results.objects(UPLOADS_PREFIX).await?;
    orphans.extend(uploads.into_iter().map(|upload| format!("the upload {upload}")));
    Ok(orphans)
}

/// Content of the Clew processes' logs.
#[derive(Default)]
struct LogSummary {
    /// Number of logged completions by collection.
    completions: HashMap<String, usize>,
    swept: u64,
    panics: Vec<String>,
}

fn parse_logs(cluster: &Cluster) -> LogSummary {
    let mut summary = LogSummary::default();
    for process in cluster.workers.iter().chain(&cluster.servers) {
        for line in process.log_since(0).lines() {
            if line.contains("panicked at") {
                summary.panics.push(format!("{}: {line}", process.name));
            }
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
            if matches!(text("message"), "collected" | "could not collect") {
                *summary.completions.entry(text("task.request_id").to_owned()).or_default() += 1;
            }
            summary.swept += line.get("results.swept").and_then(Value::as_u64).unwrap_or_default();
        }
    }
    summary
}
