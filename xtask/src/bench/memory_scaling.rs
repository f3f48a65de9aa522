//! Cases of result size: constant memory, and time proportional to the number of rows.
//! A fake server generates the rows.

use std::collections::HashMap;

use clew_testkit::{FakeOptions, FakeServer, Fault};

use super::Bench;
use super::cases::{BenchCase, Comparison, Target};
use super::count_checks::{count_in_bytes, count_in_file, ensure_count};
use super::paired_runs::{Measurement, run_pairs};
use super::server_harness::Inventory;
use crate::command::Command;
use crate::error::XtaskError;
use crate::{processes, progress};

const fn memory_case(name: &'static str, metric: &'static str) -> BenchCase {
    BenchCase {
        name,
        metric,
        baseline: "the same with 1,000 rows",
        comparison: Comparison::Difference,
        target: Target::AtMost(8.0),
        unit: "MiB",
        pairs: 9,
    }
}

const SNAPSHOT_MEMORY: BenchCase =
    memory_case("memory-snapshot", "peak memory of `clew snapshot`, 100,000 rows of 1 KiB");
const SERVE_MEMORY: BenchCase =
    memory_case("memory-serve", "peak memory of `clew serve`, one result with 100,000 rows of 1 KiB");

const fn growth_case(name: &'static str, metric: &'static str, baseline: &'static str) -> BenchCase {
    BenchCase {
        name,
        metric,
        baseline,
        comparison: Comparison::Ratio,
        target: Target::AtMost(1.2),
        unit: "µs",
        pairs: 15,
    }
}

/// Growth cases with their larger and smaller size.
const GROWTH: [(BenchCase, Size, Size); 3] = [
    (
        growth_case("growth-10k", "`clew snapshot`, time per row with 10,000 rows", "time per row with 1,000 rows"),
        Size::Total(10_000),
        Size::Total(1000),
    ),
    (
        growth_case("growth-100k", "`clew snapshot`, time per row with 100,000 rows", "time per row with 10,000 rows"),
        Size::Total(100_000),
        Size::Total(10_000),
    ),
    (
        growth_case(
            "growth-further",
            "`clew snapshot`, time per additional row from 10,000 to 100,000",
            "time per additional row from 1,000 to 10,000",
        ),
        Size::Increment(10_000, 100_000),
        Size::Increment(1000, 10_000),
    ),
];

/// Rows over which the run time is divided.
#[derive(Debug, Clone, Copy)]
enum Size {
    /// All rows of one run. The time includes the start of the program.
    Total(u64),
    /// The additional rows of a second, larger run. The time excludes the start of the program.
    Increment(u64, u64),
}

/// Statement size in bytes that makes rows of 1 KiB.
const STATEMENT_BYTES: usize = 960;
const FEW_ROWS: u64 = 1000;
const MANY_ROWS: u64 = 100_000;
/// Text that occurs once in each row.
const ROW_MARKER: &str = "FOR UPDATE";

/// Returns the cases of this module.
pub(super) fn cases() -> impl Iterator<Item = BenchCase> {
    [SNAPSHOT_MEMORY, SERVE_MEMORY].into_iter().chain(GROWTH.iter().map(|(case, _, _)| *case))
}

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Measurement>, XtaskError> {
    if !cases().any(|case| bench.filter.includes(case.name)) {
        return Ok(Vec::new());
    }
    progress::heading("Memory use and growth of the run time");
    let few = start_fake_server(FEW_ROWS, STATEMENT_BYTES).await?;
    let many = start_fake_server(MANY_ROWS, STATEMENT_BYTES).await?;
    let mut measurements = Vec::new();
    if bench.filter.includes(SNAPSHOT_MEMORY.name) {
        let clew = async || snapshot_peak_mib(bench, &many, MANY_ROWS).await;
        let baseline = async || snapshot_peak_mib(bench, &few, FEW_ROWS).await;
        measurements.push(run_pairs(SNAPSHOT_MEMORY, clew, baseline).await?);
    }
    if bench.filter.includes(SERVE_MEMORY.name) {
        let inventory = Inventory::register(&bench.clew, &[many.url(), few.url()], 1).await?;
        let clew = async || serve_peak_mib(bench, &inventory, 0, MANY_ROWS).await;
        let baseline = async || serve_peak_mib(bench, &inventory, 1, FEW_ROWS).await;
        measurements.push(run_pairs(SERVE_MEMORY, clew, baseline).await?);
    }
    let mut servers = HashMap::new();
    for (case, larger, smaller) in GROWTH.iter().filter(|(case, _, _)| bench.filter.includes(case.name)) {
        for rows in [*larger, *smaller].iter().flat_map(|size| size.row_counts()) {
            if let std::collections::hash_map::Entry::Vacant(missing) = servers.entry(rows) {
                missing.insert(start_fake_server(rows, 0).await?);
            }
        }
        let clew = async || micros_per_row(bench, &servers, *larger).await;
        let baseline = async || micros_per_row(bench, &servers, *smaller).await;
        measurements.push(run_pairs(*case, clew, baseline).await?);
    }
    Ok(measurements)
}

async fn start_fake_server(sessions: u64, statement_bytes: usize) -> Result<FakeServer, XtaskError> {
    // A quarter of the sessions has a transaction, as in the load of the real servers.
    let options = FakeOptions { sessions, transactions: sessions / 4, fault: Fault::None };
    let started = FakeServer::start_with_statement_size(statement_bytes, options).await;
    started.map_err(|cause| XtaskError::Load { cause })
}

fn snapshot_command(bench: &Bench, server: &FakeServer) -> Command {
    let url = server.url();
    Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str(), "--timeout", "300"])
}

/// Returns the peak memory of a snapshot in MiB. A piped output allows reading the peak until the last byte.
async fn snapshot_peak_mib(bench: &Bench, server: &FakeServer, sessions: u64) -> Result<f64, XtaskError> {
    let (output, peak_kib) = snapshot_command(bench, server).output_and_peak_kib().await?;
    ensure_count("rows of a snapshot", count_in_bytes(&output, ROW_MARKER), sessions)?;
    Ok(processes::kib_to_mib(peak_kib))
}

/// Returns the peak memory in MiB of a new server process that collects and serves one result.
async fn serve_peak_mib(bench: &Bench, inventory: &Inventory, node: usize, sessions: u64) -> Result<f64, XtaskError> {
    let Some(node) = inventory.nodes.get(node) else { return Ok(0.0) };
    let server = inventory.start_server(None).await?;
    let file = bench.temp_file("result.csv");
    server.time_to_file(node, &file).await?;
    ensure_count("rows of a result", count_in_file(&file, ROW_MARKER)?, sessions)?;
    let peak = server.peak_mib();
    server.stop().await?;
    Ok(peak)
}

/// Returns the run time of a snapshot per row, in microseconds.
async fn micros_per_row(bench: &Bench, servers: &HashMap<u64, FakeServer>, size: Size) -> Result<f64, XtaskError> {
    let mut times = Vec::new();
    for rows in size.row_counts() {
        let Some(server) = servers.get(&rows) else { continue };
        let file = bench.temp_file("growth.csv");
        let elapsed = snapshot_command(bench, server).time_to_file(&file).await?;
        ensure_count("rows of a snapshot", count_in_file(&file, ROW_MARKER)?, rows)?;
        times.push(elapsed.as_secs_f64() * 1e6);
    }
    let rows = |rows: u64| u32::try_from(rows).map_or(f64::INFINITY, f64::from);
    Ok(match (size, times.as_slice()) {
        (Size::Total(total), [time]) => time / rows(total),
        (Size::Increment(from, to), [smaller, larger]) => (larger - smaller) / rows(to - from),
        _ => 0.0,
    })
}

impl Size {
    /// Returns the number of rows of each required run.
    fn row_counts(self) -> Vec<u64> {
        match self {
            Self::Total(rows) => vec![rows],
            Self::Increment(from, to) => vec![from, to],
        }
    }
}
