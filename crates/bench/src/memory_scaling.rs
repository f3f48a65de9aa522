//! Benchmark cases for large results: memory use must be constant, and run time must be proportional to the row count.

use std::collections::HashMap;

use clew_devtools::command::Command;
use clew_devtools::{processes, progress};
use clew_testkit::{FakeServer, FakeServerOptions, Fault};

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::count_checks::{count_occurrences, count_occurrences_in_file, ensure_expected_count};
use crate::error::BenchError;
use crate::paired_runs::{Measurement, measure_paired_runs};
use crate::server_harness::DeploymentWithNodes;

const fn peak_memory_benchmark(name: &'static str, metric: &'static str) -> BenchmarkCase {
    BenchmarkCase {
        name,
        metric,
        baseline: "the same with 1,000 rows",
        comparison: Comparison::Difference,
        target: MedianTarget::AtMost(8.0),
        unit: "MiB",
        pairs: 9,
    }
}

const SNAPSHOT_MEMORY_BENCHMARK: BenchmarkCase =
    peak_memory_benchmark("memory-snapshot", "peak memory of `clew snapshot`, 100,000 rows of 1 KiB");
const SERVER_MEMORY_BENCHMARK: BenchmarkCase =
    peak_memory_benchmark("memory-serve", "peak memory of `clew serve`, one result with 100,000 rows of 1 KiB");

const fn time_per_row_benchmark(name: &'static str, metric: &'static str, baseline: &'static str) -> BenchmarkCase {
    BenchmarkCase {
        name,
        metric,
        baseline,
        comparison: Comparison::Ratio,
        target: MedianTarget::AtMost(1.2),
        unit: "µs",
        pairs: 15,
    }
}

const TIME_PER_ROW_BENCHMARKS: [(BenchmarkCase, MeasuredRowCount, MeasuredRowCount); 3] = [
    (
        time_per_row_benchmark(
            "growth-10k",
            "`clew snapshot`, time per row with 10,000 rows",
            "time per row with 1,000 rows",
        ),
        MeasuredRowCount::Total(10_000),
        MeasuredRowCount::Total(1000),
    ),
    (
        time_per_row_benchmark(
            "growth-100k",
            "`clew snapshot`, time per row with 100,000 rows",
            "time per row with 10,000 rows",
        ),
        MeasuredRowCount::Total(100_000),
        MeasuredRowCount::Total(10_000),
    ),
    (
        time_per_row_benchmark(
            "growth-further",
            "`clew snapshot`, time per additional row from 10,000 to 100,000",
            "time per additional row from 1,000 to 10,000",
        ),
        MeasuredRowCount::Increment(10_000, 100_000),
        MeasuredRowCount::Increment(1000, 10_000),
    ),
];

#[derive(Debug, Clone, Copy)]
enum MeasuredRowCount {
    /// Row count of one benchmark run. The measured run time includes the startup time of the process.
    Total(u64),
    /// Row counts of two benchmark runs. Subtracting the run times eliminates the process startup time.
    Increment(u64, u64),
}

/// Size of each session's statement, in bytes. With this size, each result row is about 1 KiB.
const STATEMENT_SIZE_BYTES: usize = 960;
const LOW_ROW_COUNT: u64 = 1000;
const HIGH_ROW_COUNT: u64 = 100_000;
/// Text that occurs once in each process list row, so that the benchmark can count the rows.
const PROCESS_LIST_ROW_MARKER: &str = "FOR UPDATE";

pub(super) fn memory_scaling_benchmarks() -> impl Iterator<Item = BenchmarkCase> {
    [SNAPSHOT_MEMORY_BENCHMARK, SERVER_MEMORY_BENCHMARK]
        .into_iter()
        .chain(TIME_PER_ROW_BENCHMARKS.iter().map(|(case, _, _)| *case))
}

pub(super) async fn measure_memory_scaling(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    if !memory_scaling_benchmarks().any(|case| bench.filter.includes_benchmark(case.name)) {
        return Ok(Vec::new());
    }
    progress::print_heading("Memory use and growth of the run time");
    let few = start_fake_server(LOW_ROW_COUNT, STATEMENT_SIZE_BYTES).await?;
    let many = start_fake_server(HIGH_ROW_COUNT, STATEMENT_SIZE_BYTES).await?;
    let mut measurements = Vec::new();
    if bench.filter.includes_benchmark(SNAPSHOT_MEMORY_BENCHMARK.name) {
        let clew = async || measure_snapshot_peak_memory_mib(bench, &many, HIGH_ROW_COUNT).await;
        let baseline = async || measure_snapshot_peak_memory_mib(bench, &few, LOW_ROW_COUNT).await;
        measurements.push(measure_paired_runs(SNAPSHOT_MEMORY_BENCHMARK, clew, baseline).await?);
    }
    if bench.filter.includes_benchmark(SERVER_MEMORY_BENCHMARK.name) {
        let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &[many.url(), few.url()], 1).await?;
        let clew = async || measure_server_peak_memory_mib(bench, &inventory, 0, HIGH_ROW_COUNT).await;
        let baseline = async || measure_server_peak_memory_mib(bench, &inventory, 1, LOW_ROW_COUNT).await;
        measurements.push(measure_paired_runs(SERVER_MEMORY_BENCHMARK, clew, baseline).await?);
    }
    let mut servers = HashMap::new();
    for (case, larger, smaller) in
        TIME_PER_ROW_BENCHMARKS.iter().filter(|(case, _, _)| bench.filter.includes_benchmark(case.name))
    {
        for rows in [*larger, *smaller].iter().flat_map(|size| size.row_counts_to_measure()) {
            if let std::collections::hash_map::Entry::Vacant(missing) = servers.entry(rows) {
                missing.insert(start_fake_server(rows, 0).await?);
            }
        }
        let clew = async || measure_micros_per_row(bench, &servers, *larger).await;
        let baseline = async || measure_micros_per_row(bench, &servers, *smaller).await;
        measurements.push(measure_paired_runs(*case, clew, baseline).await?);
    }
    Ok(measurements)
}

async fn start_fake_server(sessions: u64, statement_bytes: usize) -> Result<FakeServer, BenchError> {
    // A quarter of the sessions have a transaction, as in the load on the real servers.
    let options = FakeServerOptions { sessions, transactions: sessions / 4, fault: Fault::None };
    Ok(FakeServer::start_with_min_statement_size(statement_bytes, options).await?)
}

fn build_snapshot_command(bench: &BenchmarkContext, server: &FakeServer) -> Command {
    let url = server.url();
    Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str(), "--timeout", "300"])
}

async fn measure_snapshot_peak_memory_mib(
    bench: &BenchmarkContext,
    server: &FakeServer,
    sessions: u64,
) -> Result<f64, BenchError> {
    let (output, peak_kib) = build_snapshot_command(bench, server).capture_output_and_peak_memory().await?;
    ensure_expected_count("rows of a snapshot", count_occurrences(&output, PROCESS_LIST_ROW_MARKER), sessions)?;
    Ok(processes::kib_to_mib(peak_kib))
}

async fn measure_server_peak_memory_mib(
    bench: &BenchmarkContext,
    inventory: &DeploymentWithNodes,
    node: usize,
    sessions: u64,
) -> Result<f64, BenchError> {
    let Some(node) = inventory.nodes.get(node) else { return Ok(0.0) };
    let server = inventory.start_server(&[], None).await?;
    let file = bench.temp_file_path("result.csv");
    server.measure_session_collection_and_download(node, &file).await?;
    ensure_expected_count("rows of a result", count_occurrences_in_file(&file, PROCESS_LIST_ROW_MARKER)?, sessions)?;
    let peak = server.peak_memory_mib();
    server.stop().await?;
    Ok(peak)
}

async fn measure_micros_per_row(
    bench: &BenchmarkContext,
    servers: &HashMap<u64, FakeServer>,
    size: MeasuredRowCount,
) -> Result<f64, BenchError> {
    let mut times = Vec::new();
    for rows in size.row_counts_to_measure() {
        let Some(server) = servers.get(&rows) else { continue };
        let file = bench.temp_file_path("growth.csv");
        let elapsed = build_snapshot_command(bench, server).measure_run_time(&file).await?;
        ensure_expected_count("rows of a snapshot", count_occurrences_in_file(&file, PROCESS_LIST_ROW_MARKER)?, rows)?;
        times.push(elapsed.as_secs_f64() * 1e6);
    }
    let rows = |rows: u64| u32::try_from(rows).map_or(f64::INFINITY, f64::from);
    Ok(match (size, times.as_slice()) {
        (MeasuredRowCount::Total(total), [time]) => time / rows(total),
        (MeasuredRowCount::Increment(from, to), [smaller, larger]) => (larger - smaller) / rows(to - from),
        _ => 0.0,
    })
}

impl MeasuredRowCount {
    fn row_counts_to_measure(self) -> Vec<u64> {
        match self {
            Self::Total(rows) => vec![rows],
            Self::Increment(from, to) => vec![from, to],
        }
    }
}
