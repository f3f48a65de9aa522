//! Benchmark cases in which a single `clew serve` process runs one collection on each of 1,000 nodes.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use clew_devtools::progress::{self, Step};
use clew_testkit::{FakeServerFleet, FakeServerOptions, Fault};

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::count_checks::{count_occurrences_in_file, ensure_expected_count, wait_until_connections_close};
use crate::error::BenchError;
use crate::paired_runs::{Measurement, measure_paired_runs};
use crate::server_harness::{DeploymentWithNodes, NodeRef};

const COLLECTION_TIME_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "nodes",
    metric: "one collection from each of 1,000 nodes with 20 sessions, until all are finished",
    baseline: "1 node",
    comparison: Comparison::Absolute,
    target: MedianTarget::AtMost(10.0),
    unit: "s",
    pairs: 9,
};

const PEAK_MEMORY_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "nodes-memory",
    metric: "peak memory of `clew serve` during these collections",
    baseline: "1 node",
    target: MedianTarget::AtMost(128.0),
    unit: "MiB",
    ..COLLECTION_TIME_BENCHMARK
};

pub(super) const FLEET_BENCHMARKS: [BenchmarkCase; 2] = [COLLECTION_TIME_BENCHMARK, PEAK_MEMORY_BENCHMARK];

const NODE_COUNT: usize = 1000;
const NODES_PER_INSTANCE: usize = 20;
const SESSIONS_PER_NODE: u64 = 20;
const COLLECTION_STATUS_POLL_INTERVAL: Duration = Duration::from_millis(20);
const CONNECTION_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn measure_session_collection_from_fleet(
    bench: &BenchmarkContext,
) -> Result<Vec<Measurement>, BenchError> {
    if !bench.filter.includes_any_benchmark(&FLEET_BENCHMARKS) {
        return Ok(Vec::new());
    }
    progress::print_heading("Fleet of 1,000 nodes");
    let step = Step::start("Registering the nodes");
    let options =
        FakeServerOptions { sessions: SESSIONS_PER_NODE, transactions: SESSIONS_PER_NODE / 4, fault: Fault::None };
    let fleet = FakeServerFleet::start(NODE_COUNT, options).await?;
    let urls: Vec<String> = fleet.servers.iter().map(clew_testkit::FakeServer::url).collect();
    let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &urls, NODES_PER_INSTANCE).await?;
    step.complete();

    let peaks = RefCell::new(Measurement::new(PEAK_MEMORY_BENCHMARK));
    let runs = Cell::new(0);
    let run = async |nodes: &[NodeRef]| {
        let (elapsed, peak_mib) = collect_sessions_from_fleet(bench, &inventory, &fleet, nodes).await?;
        runs.set(runs.get() + 1);
        // The first run with all nodes and the first run with one node only warm up the caches.
        if runs.get() > 2 {
            let mut peaks = peaks.borrow_mut();
            if nodes.len() == 1 { peaks.baseline.push(peak_mib) } else { peaks.clew.push(peak_mib) }
        }
        Ok(elapsed.as_secs_f64())
    };
    let one = inventory.nodes.get(..1).unwrap_or_default();
    let times =
        measure_paired_runs(COLLECTION_TIME_BENCHMARK, async || run(&inventory.nodes).await, async || run(one).await)
            .await?;
    let note = format!("at most {} connections open at once, none left open", fleet.connections.peak_count());
    Ok(vec![times.with_note(note), peaks.into_inner()])
}

/// Returns the duration and the peak memory use of `clew serve` in MiB.
async fn collect_sessions_from_fleet(
    bench: &BenchmarkContext,
    inventory: &DeploymentWithNodes,
    fleet: &FakeServerFleet,
    nodes: &[NodeRef],
) -> Result<(Duration, f64), BenchError> {
    let server = inventory.start_server(&[], Some(COLLECTION_STATUS_POLL_INTERVAL)).await?;
    let accepted_before = fleet.connections.accepted_count();
    let start = Instant::now();
    let ids = server.collect_sessions_from_all_nodes(nodes).await?;
    let elapsed = start.elapsed();
    let peak = server.peak_memory_mib();
    ensure_expected_count(
        "connections to 1,000 nodes",
        fleet.connections.accepted_count() - accepted_before,
        nodes.len() as u64,
    )?;
    let file = bench.temp_file_path("result.csv");
    for (node, id) in nodes.iter().zip(&ids).step_by(97) {
        server.download_result(node, id, &file).await?;
        ensure_expected_count(
            "sessions of a node",
            count_occurrences_in_file(&file, "FOR UPDATE")?,
            SESSIONS_PER_NODE,
        )?;
    }
    let open =
        wait_until_connections_close(CONNECTION_CLOSE_TIMEOUT, async || Ok(fleet.connections.open_count())).await?;
    ensure_expected_count("connections left open", open, 0)?;
    server.stop().await?;
    Ok((elapsed, peak))
}
