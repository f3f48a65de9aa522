//! Defines benchmark cases that compare Clew's HTTP server with nginx for downloads and small responses.

mod downloads;
mod nginx;
mod small_responses;

use std::net::{AddrParseError, SocketAddr};
use std::path::Path;

use clew_devtools::DevtoolsError;
use clew_devtools::progress::{self, Step};
use clew_testkit::{FakeServer, FakeServerOptions, Fault};

use self::downloads::DownloadWorkload;
use self::small_responses::LoadGenerator;
use crate::BenchmarkContext;
use crate::benchmark_case::{BenchmarkCase, Comparison, MedianTarget};
use crate::count_checks::{count_occurrences_in_file, ensure_expected_count};
use crate::error::BenchError;
use crate::paired_runs::{Measurement, measure_paired_runs};
use crate::server_harness::{DeploymentWithNodes, HttpGetRequest, RunningClewServer};

struct DownloadBenchmarkCase {
    case: BenchmarkCase,
    clients: usize,
    downloads_per_client: usize,
}

const CONCURRENT_DOWNLOAD_BENCHMARK: BenchmarkCase = BenchmarkCase {
    name: "download-32",
    metric: "download of a 100 MB result, 32 clients",
    baseline: "nginx with sendfile, same file",
    comparison: Comparison::Ratio,
    target: MedianTarget::AtLeast(0.9),
    unit: "MiB/s",
    pairs: 11,
};

const DOWNLOAD_BENCHMARKS: [DownloadBenchmarkCase; 2] = [
    DownloadBenchmarkCase { case: CONCURRENT_DOWNLOAD_BENCHMARK, clients: 32, downloads_per_client: 1 },
    DownloadBenchmarkCase {
        case: BenchmarkCase {
            name: "download-1",
            metric: "download of a 100 MB result, one client",
            target: MedianTarget::AtLeast(0.8),
            pairs: 21,
            ..CONCURRENT_DOWNLOAD_BENCHMARK
        },
        clients: 1,
        downloads_per_client: 8,
    },
];

const fn task_status_benchmark(name: &'static str, metric: &'static str) -> BenchmarkCase {
    BenchmarkCase {
        name,
        metric,
        baseline: "nginx with the same body as a constant",
        comparison: Comparison::Absolute,
        target: MedianTarget::AtLeast(10_000.0),
        unit: "requests/s",
        pairs: 11,
    }
}

const TASK_STATUS_BENCHMARKS: [(BenchmarkCase, LoadGenerator); 2] = [
    (
        task_status_benchmark("status", "task status with signature check and policy, 64 connections of hey"),
        LoadGenerator::Hey,
    ),
    (
        task_status_benchmark("status-wrk", "task status with signature check and policy, 64 connections of wrk"),
        LoadGenerator::Wrk,
    ),
];

pub(super) fn http_benchmarks() -> impl Iterator<Item = BenchmarkCase> {
    DOWNLOAD_BENCHMARKS.iter().map(|download| download.case).chain(TASK_STATUS_BENCHMARKS.iter().map(|(case, _)| *case))
}

/// Number of sessions, chosen so that the collection result is slightly larger than 100 MB.
const SESSION_COUNT: u64 = 100_000;
/// Size of each session's SQL statement, in bytes, chosen so that a result row takes about 1 KiB.
const STATEMENT_SIZE_BYTES: usize = 960;

pub(super) async fn run_http_benchmarks(bench: &BenchmarkContext) -> Result<Vec<Measurement>, BenchError> {
    if !http_benchmarks().any(|case| bench.filter.includes_benchmark(case.name)) {
        return Ok(Vec::new());
    }
    progress::print_heading("HTTP server compared with nginx");
    let step = Step::start("Collecting a result of 100 MB");
    let options = FakeServerOptions { sessions: SESSION_COUNT, transactions: 1000, fault: Fault::None };
    let fake = FakeServer::start_with_min_statement_size(STATEMENT_SIZE_BYTES, options).await?;
    let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &[fake.url()], 1).await?;
    let reader = inventory.create_read_only_access_key().await?;
    let server = inventory.start_server(&[], None).await?;
    let Some(node) = inventory.nodes.first() else { return Ok(Vec::new()) };
    let id = server.run_session_collection(node).await?;
    let file = bench.temp_file_path("result.csv");
    let bytes = server.download_result(node, &id, &file).await?;
    ensure_expected_count("rows of a result", count_occurrences_in_file(&file, "FOR UPDATE")?, SESSION_COUNT)?;
    let status = server.create_signed_request(&reader, node, "realtime-session-task", &id);
    let body = downloads::fetch_response_body(parse_server_address(&server)?, &status)?;
    let nginx = nginx::start(&file, &body).await?;
    step.complete_with_result(&format!("{bytes} bytes"));

    let mut measurements = Vec::new();
    for DownloadBenchmarkCase { case, clients, downloads_per_client } in
        DOWNLOAD_BENCHMARKS.iter().filter(|download| bench.filter.includes_benchmark(download.case.name))
    {
        let signed = server.create_signed_request(&reader, node, "realtime-session-result", &id);
        let download = |address, get| DownloadWorkload {
            address,
            get,
            clients: *clients,
            downloads_per_client: *downloads_per_client,
            expected_bytes: bytes,
        };
        let from_clew = download(parse_server_address(&server)?, signed);
        let from_nginx =
            download(nginx.address(), HttpGetRequest::create_unsigned_request(nginx::DOWNLOAD_URL_PATH, "127.0.0.1"));
        measurements.push(
            measure_paired_runs(
                *case,
                async || Ok(from_clew.measure_download_rate().await?),
                async || Ok(from_nginx.measure_download_rate().await?),
            )
            .await?,
        );
    }
    for (case, generator) in
        TASK_STATUS_BENCHMARKS.iter().filter(|(case, _)| bench.filter.includes_benchmark(case.name))
    {
        // Sign the request again, because a signature expires after 15 minutes.
        let status = server.create_signed_request(&reader, node, "realtime-session-task", &id);
        let constant = HttpGetRequest::create_unsigned_request(nginx::FIXED_RESPONSE_URL_PATH, "127.0.0.1");
        let clew = async || generator.measure_request_rate(&format!("http://{}", server.address()), &status).await;
        let baseline = async || generator.measure_request_rate(&format!("http://{}", nginx.address()), &constant).await;
        measurements.push(measure_paired_runs(*case, clew, baseline).await?);
    }
    drop(nginx);
    server.stop().await?;
    Ok(measurements)
}

fn parse_server_address(server: &RunningClewServer<'_>) -> Result<SocketAddr, DevtoolsError> {
    let parsed = server.address().parse();
    parsed
        .map_err(|cause: AddrParseError| DevtoolsError::unexpected_output_error("clew serve", cause, server.address()))
}

fn quote_nginx_path(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
