//! Cases of the web page: a live list of 10,000 sessions in Debian's Chromium.
//! Hundreds of sessions change between two samples.

use std::time::Duration;

use clew_testkit::{
    Flavor, Load, LoadSize, RawSession, Server, ServerOptions, TEN_THOUSAND_SESSIONS, open_idle_sessions,
};
use serde_json::json;
use tokio::task::JoinSet;

use super::Bench;
use super::cases::{BenchCase, Comparison, Target};
use super::paired_runs::{Measurement, run_pairs};
use super::server_harness::{Inventory, NodeRef, RunningServer};
use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::{self, Step};
use crate::{page, workspace};

const fn case(name: &'static str, metric: &'static str, unit: &'static str, maximum: f64) -> BenchCase {
    BenchCase {
        name,
        metric,
        baseline: "the same with 20 sessions",
        comparison: Comparison::Absolute,
        target: Target::AtMost(maximum),
        unit,
        pairs: 9,
    }
}

const LOAD_TIME: BenchCase =
    case("page-first", "page with 10,000 sessions: time from the navigation to usable sessions", "ms", 1000.0);
const SCRIPT_TIME: BenchCase =
    case("page-script", "page with 10,000 sessions: CPU use of scripts with one sample per second", "%", 25.0);
const SCROLL_FRAME: BenchCase =
    case("page-scroll", "page with 10,000 sessions: longest frame in 3 s of scrolling", "ms", 50.0);
const HEAP_GROWTH: BenchCase =
    BenchCase { pairs: 1, ..case("page-heap", "page with 10,000 sessions: heap growth in 10 minutes", "MiB", 2.0) };

/// Cases of this module.
pub(super) const CASES: [BenchCase; 4] = [LOAD_TIME, SCRIPT_TIME, SCROLL_FRAME, HEAP_GROWTH];

/// Busy sessions in addition to the sessions of the load.
const BUSY_SESSIONS: usize = 200;
/// Statements that each busy session repeats. Two of them run long enough to appear in a sample.
const WORK_STATEMENTS: [&str; 3] = ["DO SLEEP(0.8)", "DO (SELECT COUNT(*) FROM clew_load.orders) + SLEEP(0.4)", "DO 1"];
const FEW_SESSIONS: usize = 20;
const SCRIPT_SECONDS: u32 = 5;
const SCROLL_SECONDS: u32 = 3;
const HEAP_SECONDS: u32 = 600;

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Measurement>, XtaskError> {
    if !bench.filter.includes_any(&CASES) {
        return Ok(Vec::new());
    }
    progress::heading("Web page with 10,000 sessions");
    page::build().await?;
    let failed = |cause| XtaskError::Load { cause };
    let step = Step::start("Starting the servers and opening the sessions");
    let max_connections = u32::try_from(TEN_THOUSAND_SESSIONS.sessions + BUSY_SESSIONS + 100).unwrap_or(u32::MAX);
    let large =
        bench.start_server(Flavor::MySql, &ServerOptions { max_connections, ..ServerOptions::default() }).await?;
    let load = LoadSize { sessions: TEN_THOUSAND_SESSIONS.sessions - BUSY_SESSIONS, ..TEN_THOUSAND_SESSIONS };
    let _load = Load::start(&large, load).await.map_err(failed)?;
    let _busy = start_busy_sessions(&large).await?;
    let small = bench.start_server(Flavor::MySql, &ServerOptions::default()).await?;
    let _few = open_idle_sessions(&small, FEW_SESSIONS).await.map_err(failed)?;
    let inventory = Inventory::register(&bench.clew, &[large.url(), small.url()], 2).await?;
    let server = inventory.start_server(None).await?;
    step.done();

    let [large, small] = inventory.nodes.as_slice() else { return Ok(Vec::new()) };
    let (large, small) =
        (BrowserSession::new(&inventory, &server, large), BrowserSession::new(&inventory, &server, small));
    let mut measurements = Vec::new();
    for (case, metric, seconds) in
        [(LOAD_TIME, "first", 0), (SCRIPT_TIME, "script", SCRIPT_SECONDS), (SCROLL_FRAME, "scroll", SCROLL_SECONDS)]
    {
        if bench.filter.includes(case.name) {
            let pairs = run_pairs(
                case,
                async || large.measure(metric, seconds).await,
                async || small.measure(metric, seconds).await,
            );
            measurements.push(pairs.await?);
        }
    }
    if bench.filter.includes(HEAP_GROWTH.name) {
        let step = Step::start(HEAP_GROWTH.name);
        let (clew, baseline) =
            tokio::try_join!(large.measure("heap", HEAP_SECONDS), small.measure("heap", HEAP_SECONDS))?;
        let heap = Measurement { clew: vec![clew], baseline: vec![baseline], ..Measurement::new(HEAP_GROWTH) };
        step.done_with(&heap.summary());
        let note = "both pages at the same time, after one minute of warm-up and garbage collection";
        measurements.push(heap.with_note(note.to_owned()));
    }
    server.stop().await?;
    Ok(measurements)
}

/// Opens sessions that run statements until the returned set is dropped.
async fn start_busy_sessions(server: &Server) -> Result<JoinSet<std::io::Result<()>>, XtaskError> {
    let sessions =
        open_idle_sessions(server, BUSY_SESSIONS).await.map_err(|cause| XtaskError::Load { cause })?.sessions;
    let mut busy = JoinSet::new();
    for (at, session) in sessions.into_iter().enumerate() {
        busy.spawn(run_statements(session, at));
    }
    Ok(busy)
}

async fn run_statements(mut session: RawSession, first: usize) -> std::io::Result<()> {
    for statement in WORK_STATEMENTS.iter().cycle().skip(first % WORK_STATEMENTS.len()) {
        session.execute(statement).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// A browser that shows the session list of a node.
struct BrowserSession(Command);

impl BrowserSession {
    fn new(inventory: &Inventory, server: &RunningServer<'_>, node: &NodeRef) -> Self {
        let credentials = &inventory.deployment().credentials;
        let settings = json!({
            "endpoint": format!("http://{}", server.address()),
            "domain": credentials.domain_name,
            "user": credentials.user,
            "password": credentials.password,
            "project": credentials.project_id,
            "instance": node.instance,
            "node": node.node,
        });
        let node = Command::new("node").current_dir(workspace::root().join("web"));
        Self(node.env("CLEW_STAGE", settings.to_string()))
    }

    /// Runs `web/browser/measure.mjs` and returns the measured value.
    async fn measure(&self, metric: &str, seconds: u32) -> Result<f64, XtaskError> {
        let command = self.0.clone().args(["browser/measure.mjs", metric, &seconds.to_string()]);
        let output = command.output().await?;
        output.trim().parse().map_err(|cause: std::num::ParseFloatError| XtaskError::UnexpectedOutput {
            command: command.command_line(),
            cause: cause.to_string(),
            output,
        })
    }
}
