//! Cases of the HTTP server, compared with nginx: downloads and small responses.

mod downloads;
mod nginx;
mod small_responses;

use std::net::SocketAddr;
use std::path::Path;

use clew_testkit::{FakeOptions, FakeServer, Fault};

use self::downloads::Download;
use self::small_responses::LoadGenerator;
use super::Bench;
use super::cases::{BenchCase, Comparison, Target};
use super::count_checks::{count_in_file, ensure_count};
use super::paired_runs::{Measurement, run_pairs};
use super::server_harness::{Inventory, RunningServer, SignedGet};
use crate::error::XtaskError;
use crate::progress::{self, Step};

/// A download case.
struct DownloadCase {
    case: BenchCase,
    clients: usize,
    /// Downloads per client and run.
    repetitions: usize,
}

const DOWNLOAD_CASES: [DownloadCase; 2] = [
    DownloadCase {
        case: BenchCase {
            name: "download-32",
            metric: "download of a 100 MB result, 32 clients",
            baseline: "nginx with sendfile, same file",
            comparison: Comparison::Ratio,
            target: Target::AtLeast(0.9),
            unit: "MiB/s",
            pairs: 11,
        },
        clients: 32,
        repetitions: 1,
    },
    DownloadCase {
        case: BenchCase {
            name: "download-1",
            metric: "download of a 100 MB result, one client",
            baseline: "nginx with sendfile, same file",
            comparison: Comparison::Ratio,
            target: Target::AtLeast(0.8),
            unit: "MiB/s",
            pairs: 21,
        },
        clients: 1,
        repetitions: 8,
    },
];

/// Status requests by two load generators. hey uses about as much CPU time as the server, like a typical client.
/// wrk uses very little, so the ratio shows the cost of the server.
const STATUS_CASES: [(BenchCase, LoadGenerator); 2] = [
    (
        BenchCase {
            name: "status",
            metric: "task status with signature check and policy, 64 connections of hey",
            baseline: "nginx with the same body as a constant",
            comparison: Comparison::Ratio,
            target: Target::AtLeast(0.6),
            unit: "requests/s",
            pairs: 11,
        },
        LoadGenerator::Hey,
    ),
    (
        BenchCase {
            name: "status-wrk",
            metric: "task status with signature check and policy, 64 connections of wrk",
            baseline: "nginx with the same body as a constant",
            comparison: Comparison::Ratio,
            target: Target::AtLeast(0.6),
            unit: "requests/s",
            pairs: 11,
        },
        LoadGenerator::Wrk,
    ),
];

/// Returns the cases of this module.
pub(super) fn cases() -> impl Iterator<Item = BenchCase> {
    DOWNLOAD_CASES.iter().map(|download| download.case).chain(STATUS_CASES.iter().map(|(case, _)| *case))
}

/// Number of sessions whose result is slightly larger than 100 MB.
const SESSIONS: u64 = 100_000;
/// Statement size in bytes that makes rows of about 1 KiB.
const STATEMENT_BYTES: usize = 960;

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Measurement>, XtaskError> {
    if !cases().any(|case| bench.filter.includes(case.name)) {
        return Ok(Vec::new());
    }
    progress::heading("HTTP server compared with nginx");
    let step = Step::start("Collecting a result of 100 MB");
    let options = FakeOptions { sessions: SESSIONS, transactions: 1000, fault: Fault::None };
    let started = FakeServer::start_with_statement_size(STATEMENT_BYTES, options).await;
    let fake = started.map_err(|cause| XtaskError::Load { cause })?;
    let inventory = Inventory::register(&bench.clew, &[fake.url()], 1).await?;
    let reader = inventory.create_reader_key().await?;
    let server = inventory.start_server(None).await?;
    let Some(node) = inventory.nodes.first() else { return Ok(Vec::new()) };
    let id = server.collect(node).await?;
    let file = bench.temp_file("result.csv");
    let bytes = server.download(node, &id, &file).await?;
    ensure_count("rows of a result", count_in_file(&file, "FOR UPDATE")?, SESSIONS)?;
    let status = server.signed_get(&reader, node, "realtime-session-task", &id);
    let body = downloads::fetch_body(address(&server)?, &status)?;
    let nginx = nginx::start(&file, &body).await?;
    step.done_with(&format!("{bytes} bytes"));

    let mut measurements = Vec::new();
    for DownloadCase { case, clients, repetitions } in
        DOWNLOAD_CASES.iter().filter(|download| bench.filter.includes(download.case.name))
    {
        let signed = server.signed_get(&reader, node, "realtime-session-result", &id);
        let download = |address, get| Download { address, get, clients: *clients, repetitions: *repetitions, bytes };
        let from_clew = download(address(&server)?, signed);
        let from_nginx = download(nginx.address(), SignedGet::plain(nginx::RESULT, "127.0.0.1"));
        measurements.push(run_pairs(*case, async || from_clew.rate().await, async || from_nginx.rate().await).await?);
    }
    for (case, generator) in STATUS_CASES.iter().filter(|(case, _)| bench.filter.includes(case.name)) {
        // Signed again, because a signature expires after 15 minutes.
        let status = server.signed_get(&reader, node, "realtime-session-task", &id);
        let constant = SignedGet::plain(nginx::CONSTANT, "127.0.0.1");
        let clew = async || generator.request_rate(&format!("http://{}", server.address()), &status).await;
        let baseline = async || generator.request_rate(&format!("http://{}", nginx.address()), &constant).await;
        measurements.push(run_pairs(*case, clew, baseline).await?);
    }
    drop(nginx);
    server.stop().await?;
    Ok(measurements)
}

fn address(server: &RunningServer<'_>) -> Result<SocketAddr, XtaskError> {
    server.address().parse().map_err(|error: std::net::AddrParseError| XtaskError::UnexpectedOutput {
        command: "clew serve".to_owned(),
        cause: error.to_string(),
        output: server.address().to_owned(),
    })
}

/// Quotes a path for nginx's configuration.
fn quote_path(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
