//! Measures heap allocations and peak memory of snapshots. Run with `cargo bench -p clew-mysql --bench allocations`.
//!
//! The allocation and byte counts do not depend on the machine.
//! The benchmark takes plain and detailed snapshots of two fake servers that have different numbers of sessions.
//! The benchmark divides the difference between the two results by the difference in session count to get the cost per row.
//! The benchmark prints one line for plain snapshots and one line for detailed snapshots:
//!
//! ```text
//! snapshot allocations_per_row=10.01 bytes_per_row=412 additional_peak_bytes=1234567
//! ```
//!
//! Each fake server runs in a child process, so that the benchmark does not count the server's allocations.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a developer tool that prints its results")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use clew_model::NodeUrl;
use clew_mysql::{NodeConnector, SnapshotFormat, SnapshotOptions, take_snapshot};
use clew_testkit::{FakeServer, FakeServerOptions};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const SMALL_SESSION_COUNT: u64 = 1_000;
const LARGE_SESSION_COUNT: u64 = 11_000;
const FAKE_SERVER_ARGUMENT: &str = "--serve";
/// Argument that `cargo bench` passes. The benchmark exits immediately if the argument is missing.
const CARGO_BENCH_ARGUMENT: &str = "--bench";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == FAKE_SERVER_ARGUMENT).and_then(|at| arguments.get(at + 1)) {
        Some(sessions) => run_fake_server(sessions.parse().expect("a number of sessions")),
        None if arguments.iter().any(|argument| argument == CARGO_BENCH_ARGUMENT) => run_benchmark(),
        None => {}
    }
}

/// Prints the URL of a fake server and runs the server until stdin is closed.
fn run_fake_server(sessions: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let options = FakeServerOptions { sessions, transactions: sessions / 4, ..FakeServerOptions::default() };
    let server = runtime.block_on(FakeServer::start(options)).expect("a port is free");
    println!("{}", server.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn run_benchmark() {
    let (few, many) = (FakeServerProcess::start(SMALL_SESSION_COUNT), FakeServerProcess::start(LARGE_SESSION_COUNT));
    for (name, detailed) in [("snapshot", false), ("detailed_snapshot", true)] {
        // The first snapshot pays for one-time allocations of the process.
        few.measure_allocations(detailed);
        let (few, many) = (few.measure_allocations(detailed), many.measure_allocations(detailed));
        let rows = LARGE_SESSION_COUNT - SMALL_SESSION_COUNT;
        let hundredths = (many.total_blocks - few.total_blocks) * 100 / rows;
        let bytes = (many.total_bytes - few.total_bytes) / rows;
        let peak = many.max_bytes.saturating_sub(few.max_bytes);
        let (whole, part) = (hundredths / 100, hundredths % 100);
        println!("{name} allocations_per_row={whole}.{part:02} bytes_per_row={bytes} additional_peak_bytes={peak}");
    }
}

struct FakeServerProcess {
    process: Child,
    node: NodeUrl,
}

impl FakeServerProcess {
    fn start(sessions: u64) -> Self {
        let program = std::env::current_exe().expect("the path of this program is known");
        let mut process = Command::new(program)
            .args([FAKE_SERVER_ARGUMENT, &sessions.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut url).expect("the server prints its address");
        Self { process, node: url.trim().parse().expect("a URL") }
    }

    fn measure_allocations(&self, detailed: bool) -> dhat::HeapStats {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let _counting = dhat::Profiler::builder().testing().build();
        let options = SnapshotOptions::new(SnapshotFormat::Csv { formula_guard: true });
        let options = SnapshotOptions { detailed, ..options };
        runtime.block_on(async {
            let connector = NodeConnector::default();
            let mut snapshot = take_snapshot(&self.node, &options, &connector).await.expect("the fake server responds");
            snapshot.body.write_to(&mut std::io::sink()).expect("a sink accepts all bytes");
        });
        dhat::HeapStats::get()
    }
}

impl Drop for FakeServerProcess {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
