//! Benchmark cases for the web page: Chromium shows a live list of 10,000 sessions.
//! Between two samples of the live list, hundreds of sessions change.

use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_devtools::{web_page, workspace};
use clew_testkit::{
    BENCHMARK_SESSION_COUNTS, BenchmarkSessionCounts, BenchmarkSessions, DatabaseServer, DatabaseServerOptions, Flavor,
    RawSession, open_idle_sessions,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::error::BenchError;
use crate::paired_runs::{Measurement, measure_paired_runs};
use crate::server_harness::{DeploymentWithNodes, NodeRef, RunningClewServer};

const fn web_page_benchmark(
    name: &'static str,
    metric: &'static str,
    unit: &'static str,
    maximum: f64,
) -> BenchmarkCase {
    BenchmarkCase {
        name,
        metric,
        baseline: "the same with 20 sessions",
        comparison: Comparison::Absolute,
        target: MedianTarget::AtMost(maximum),
        unit,
        pairs: 9,
    }
}

const PAGE_LOAD_TIME_BENCHMARK: BenchmarkCase = web_page_benchmark(
    "page-first",
    "page with 10,000 sessions: time from the navigation to usable sessions",
    "ms",
    1000.0,
);
const SCRIPT_CPU_USE_BENCHMARK: BenchmarkCase = web_page_benchmark(
    "page-script",
    "page with 10,000 sessions: CPU use of scripts with one sample per second",
    "%",
    25.0,
);
const SCROLL_FRAME_TIME_BENCHMARK: BenchmarkCase =
    web_page_benchmark("page-scroll", "page with 10,000 sessions: longest frame in 3 s of scrolling", "ms", 50.0);
const HEAP_GROWTH_BENCHMARK: BenchmarkCase = BenchmarkCase {
    pairs: 1,
    ..web_page_benchmark("page-heap", "page with 10,000 sessions: heap growth in 10 minutes", "MiB", 2.0)
};

pub(super) const WEB_PAGE_BENCHMARKS: [BenchmarkCase; 4] =
    [PAGE_LOAD_TIME_BENCHMARK, SCRIPT_CPU_USE_BENCHMARK, SCROLL_FRAME_TIME_BENCHMARK, HEAP_GROWTH_BENCHMARK];

const BUSY_SESSION_COUNT: usize = 200;
/// The two `SLEEP` statements run long enough to appear in the live list.
const BUSY_SESSION_STATEMENTS: [&str; 3] =
    ["DO SLEEP(0.8)", "DO (SELECT COUNT(*) FROM clew_load.orders) + SLEEP(0.4)", "DO 1"];
const BASELINE_SESSION_COUNT: usize = 20;
const SCRIPT_CPU_MEASUREMENT_SECONDS: u32 = 5;
const SCROLL_MEASUREMENT_SECONDS: u32 = 3;
const HEAP_MEASUREMENT_SECONDS: u32 = 600;

pub(super) async fn measure_web_page_performance(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    if !bench.filter.includes_any_benchmark(&WEB_PAGE_BENCHMARKS) {
        return Ok(Vec::new());
    }
    progress::print_heading("Web page with 10,000 sessions");
    web_page::build_web_page().await?;
    let step = Step::start("Starting the servers and opening the sessions");
    let max_connections =
        u32::try_from(BENCHMARK_SESSION_COUNTS.sessions + BUSY_SESSION_COUNT + 100).unwrap_or(u32::MAX);
    let large = bench
        .start_server(Flavor::MySql, &DatabaseServerOptions { max_connections, ..DatabaseServerOptions::default() })
        .await?;
    let load = BenchmarkSessionCounts {
        sessions: BENCHMARK_SESSION_COUNTS.sessions - BUSY_SESSION_COUNT,
        ..BENCHMARK_SESSION_COUNTS
    };
    let _load = BenchmarkSessions::start(&large, load).await?;
    let _busy = start_busy_sessions(&large).await?;
    let small = bench.start_server(Flavor::MySql, &DatabaseServerOptions::default()).await?;
    let _few = open_idle_sessions(&small, BASELINE_SESSION_COUNT).await?;
    let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &[large.url(), small.url()], 2).await?;
    let server = inventory.start_server(&[], None).await?;
    step.complete();

    let [large, small] = inventory.nodes.as_slice() else { return Ok(Vec::new()) };
    let (large, small) =
        (BrowserCommand::new(&inventory, &server, large), BrowserCommand::new(&inventory, &server, small));
    let mut measurements = Vec::new();
    for (case, metric, seconds) in [
        (PAGE_LOAD_TIME_BENCHMARK, "first", 0),
        (SCRIPT_CPU_USE_BENCHMARK, "script", SCRIPT_CPU_MEASUREMENT_SECONDS),
        (SCROLL_FRAME_TIME_BENCHMARK, "scroll", SCROLL_MEASUREMENT_SECONDS),
    ] {
        if bench.filter.includes_benchmark(case.name) {
            let pairs = measure_paired_runs(
                case,
                async || large.measure_web_page_metric(metric, seconds).await,
                async || small.measure_web_page_metric(metric, seconds).await,
            );
            measurements.push(pairs.await?);
        }
    }
    if bench.filter.includes_benchmark(HEAP_GROWTH_BENCHMARK.name) {
        let step = Step::start(HEAP_GROWTH_BENCHMARK.name);
        let (clew, baseline) = tokio::try_join!(
            large.measure_web_page_metric("heap", HEAP_MEASUREMENT_SECONDS),
            small.measure_web_page_metric("heap", HEAP_MEASUREMENT_SECONDS)
        )?;
        let heap =
            Measurement { clew: vec![clew], baseline: vec![baseline], ..Measurement::new(HEAP_GROWTH_BENCHMARK) };
        step.complete_with_result(&heap.format_summary());
        let note = "both pages at the same time, after one minute of warm-up and garbage collection";
        measurements.push(heap.with_note(note.to_owned()));
    }
    server.stop().await?;
    Ok(measurements)
}

/// The sessions run statements until the returned `JoinSet` is dropped.
async fn start_busy_sessions(server: &DatabaseServer) -> Result<JoinSet<std::io::Result<()>>, BenchError> {
    let sessions = open_idle_sessions(server, BUSY_SESSION_COUNT).await?.sessions;
    let mut busy = JoinSet::new();
    for (at, session) in sessions.into_iter().enumerate() {
        busy.spawn(run_busy_session(session, at));
    }
    Ok(busy)
}

async fn run_busy_session(mut session: RawSession, first: usize) -> std::io::Result<()> {
    for statement in BUSY_SESSION_STATEMENTS.iter().cycle().skip(first % BUSY_SESSION_STATEMENTS.len()) {
        session.execute(statement).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

struct BrowserCommand(Command);

impl BrowserCommand {
    fn new(inventory: &DeploymentWithNodes, server: &RunningClewServer<'_>, node: &NodeRef) -> Self {
        let credentials = &inventory.temporary_deployment().credentials;
        let settings = json!({
            "endpoint": format!("http://{}", server.address()),
            "domain": credentials.domain_name,
            "user": credentials.user,
            "password": credentials.password,
            "project": credentials.project_id,
            "instance": node.instance,
            "node": node.node,
        });
        let node = Command::new("node").current_dir(workspace::root_dir().join("web"));
        Self(node.env("CLEW_STAGE", settings.to_string()))
    }

    async fn measure_web_page_metric(&self, metric: &str, seconds: u32) -> Result<f64, BenchError> {
        let command = self.0.clone().args(["browser/measure.mjs", metric, &seconds.to_string()]);
        let output = command.output().await?;
        output.trim().parse().map_err(|cause: std::num::ParseFloatError| {
            DevtoolsError::unexpected_output_error(command.command_line(), cause, output.as_str()).into()
        })
    }
}
