//! Benchmark cases that check whether the collection rate scales with the number of workers.

use std::collections::BTreeMap;
use std::time::Duration;

use clew_devtools::clew_server::{ClewProcess, TemporaryDeployment, storage_environment_variables};
use clew_devtools::progress::{self, Step};
use clew_testkit::{FakeServer, FakeServerFleet, FakeServerOptions, Fault, PostgreSqlServer, S3Server};
use jiff::Timestamp;

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::count_checks::ensure_expected_count;
use crate::error::BenchError;
use crate::paired_runs::{Measurement, measure_paired_runs};
use crate::server_harness::{DeploymentWithNodes, NodeRef, parse_collection_end_times};

const TWO_WORKER_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "workers-2",
    metric: "collection rate of 2 `clew worker` with PostgreSQL and S3; nodes respond after 100 ms",
    baseline: "1 `clew worker`",
    comparison: Comparison::Ratio,
    target: MedianTarget::AtLeast(1.9),
    unit: "collections/s",
    pairs: 5,
};

const FOUR_WORKER_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "workers-4",
    metric: "collection rate of 4 `clew worker` with PostgreSQL and S3; nodes respond after 100 ms",
    target: MedianTarget::AtLeast(3.6),
    ..TWO_WORKER_BENCHMARK
};

const WORKER_SCALING_BENCHMARKS: [(BenchmarkCase, usize); 2] = [(TWO_WORKER_BENCHMARK, 2), (FOUR_WORKER_BENCHMARK, 4)];

const SIMULATED_NODE_LATENCY: Duration = Duration::from_millis(100);
/// At this low concurrency, the node latency limits the collection rate, so a lower rate per worker indicates contention.
const LOW_CONCURRENCY_WORKER_CONFIG: &str = "[collections]\nconcurrency = 16\n";
const NODE_COUNT: usize = 128;
const NODES_PER_INSTANCE: usize = 16;
const COLLECTIONS_PER_WORKER: usize = 200;

pub(super) fn worker_scaling_benchmarks() -> impl Iterator<Item = BenchmarkCase> {
    WORKER_SCALING_BENCHMARKS.into_iter().map(|(case, _)| case)
}

pub(super) async fn measure_worker_scaling(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    if !worker_scaling_benchmarks().any(|case| bench.filter.includes_benchmark(case.name)) {
        return Ok(Vec::new());
    }
    progress::print_heading("Workers");
    let step = Step::start("Starting PostgreSQL, S3 and a fleet");
    let (metadata, results) = tokio::join!(PostgreSqlServer::start(), S3Server::start());
    let (metadata, results) = (metadata?, results?);
    let options =
        FakeServerOptions { sessions: 20, transactions: 5, fault: Fault::DelayPerResponse(SIMULATED_NODE_LATENCY) };
    let fleet = FakeServerFleet::start(NODE_COUNT, options).await?;
    let urls: Vec<String> = fleet.servers.iter().map(FakeServer::url).collect();
    let variables = storage_environment_variables(metadata.url(), results.endpoint());
    let deployment = TemporaryDeployment::init(&bench.clew, variables).await?;
    let inventory = DeploymentWithNodes::with_registered_nodes(deployment, &urls, NODES_PER_INSTANCE).await?;
    step.complete();

    let mut measurements = Vec::new();
    for (case, workers) in
        WORKER_SCALING_BENCHMARKS.into_iter().filter(|(case, _)| bench.filter.includes_benchmark(case.name))
    {
        let measurement = measure_paired_runs(
            case,
            async || measure_collection_rate(&inventory, workers).await,
            async || measure_collection_rate(&inventory, 1).await,
        )
        .await?;
        measurements.push(measurement);
    }
    Ok(measurements)
}

async fn measure_collection_rate(inventory: &DeploymentWithNodes, workers: usize) -> Result<f64, BenchError> {
    let server = inventory.start_server(&["--no-worker"], None).await?;
    let nodes: Vec<NodeRef> = inventory.nodes.iter().cycle().take(COLLECTIONS_PER_WORKER * workers).cloned().collect();
    let ids = server.enqueue_collections(&nodes).await?;
    ensure_expected_count("queued collections", ids.len() as u64, nodes.len() as u64)?;
    let mut running: Vec<(String, ClewProcess)> = Vec::new();
    for number in 1..=workers {
        let name = format!("worker-{number}");
        let worker = inventory.temporary_deployment().start_worker(&name, LOW_CONCURRENCY_WORKER_CONFIG).await?;
        running.push((name, worker));
    }
    for (node, id) in nodes.iter().zip(&ids) {
        server.wait_for_collection_task(node, id).await?;
    }
    let mut ends = BTreeMap::new();
    for (name, worker) in running {
        worker.stop().await?;
        let log = inventory.temporary_deployment().read_process_log(&name);
        ends.insert(name, parse_collection_end_times(&log).into_iter().map(|(_, at)| at).collect::<Vec<_>>());
    }
    server.stop().await?;
    Ok(calculate_session_collection_rate(&ends).unwrap_or_default())
}

/// Calculates the number of collections per second while all workers are busy.
/// The measured interval begins when every worker has finished its first collection.
/// The measured interval ends when the first worker finishes its last collection.
fn calculate_session_collection_rate(ends: &BTreeMap<String, Vec<Timestamp>>) -> Option<f64> {
    let begin = ends.values().filter_map(|ends| ends.iter().min()).max()?;
    let end = ends.values().filter_map(|ends| ends.iter().max()).min()?;
    let count = ends.values().flatten().filter(|at| (begin..end).contains(at)).count();
    let seconds = end.duration_since(*begin).as_secs_f64();
    Some(f64::from(u32::try_from(count).ok()?) / seconds).filter(|rate| rate.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_covers_the_time_when_all_workers_are_busy() {
        let at =
            |seconds: &[i64]| seconds.iter().map(|second| Timestamp::from_second(*second).unwrap()).collect::<Vec<_>>();
        let ends = BTreeMap::from([("a".to_owned(), at(&[0, 1, 2, 3, 4])), ("b".to_owned(), at(&[2, 2, 3, 6]))]);
        // The interval from 2 to 4 contains two ends of the first worker and three of the second.
        assert_eq!(calculate_session_collection_rate(&ends), Some(2.5));
        assert_eq!(calculate_session_collection_rate(&BTreeMap::new()), None);
        assert_eq!(calculate_session_collection_rate(&BTreeMap::from([("a".to_owned(), at(&[1]))])), None);
    }
}
