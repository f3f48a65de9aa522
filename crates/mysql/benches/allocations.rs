//! How often a snapshot asks for memory, and how much it holds at once: `cargo bench -p clew-mysql --bench allocations`.
//!
//! These are counts: they depend on the code, not on the machine. Each snapshot, plain and detailed, is taken of a fake server with few
//! sessions and of one with many, so that what is asked for once falls out of the counts of a row. For each it prints one line:
//!
//! ```text
//! snapshot allocations_per_row=10.01 bytes_per_row=412 peak_bytes_more=1234567
//! ```
//!
//! The fake server runs in a process of its own (this program again), or its allocations would count too.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for developers, whose answer is what it prints"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use clew_model::{NodeUrl, Selection};
use clew_mysql::{Form, Limits, Statements, take_detailed_snapshot, take_snapshot};
use clew_testkit::{FakeOptions, FakeServer};

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

const FEW: u64 = 1_000;
const MANY: u64 = 11_000;
/// The argument that makes this program a server; how many sessions it has follows.
const SERVE: &str = "--serve";
/// The argument that `cargo bench` gives. A test runner that looks for tests here gives others, and finds none.
const BENCH: &str = "--bench";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == SERVE).and_then(|at| arguments.get(at + 1)) {
        Some(sessions) => serve(sessions.parse().expect("a number of sessions")),
        None if arguments.iter().any(|argument| argument == BENCH) => count(),
        None => {}
    }
}

/// Prints where the server listens, and serves until stdin ends.
fn serve(sessions: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let options = FakeOptions { sessions, transactions: sessions / 4, ..FakeOptions::default() };
    let server = runtime.block_on(FakeServer::start(options)).expect("a port is free");
    println!("{}", server.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn count() {
    let (few, many) = (Served::start(FEW), Served::start(MANY));
    for (name, detailed) in [("snapshot", false), ("detailed_snapshot", true)] {
        // The first one pays for what is made once in a process.
        few.measure(detailed);
        let (few, many) = (few.measure(detailed), many.measure(detailed));
        let rows = MANY - FEW;
        let hundredths = (many.total_blocks - few.total_blocks) * 100 / rows;
        let bytes = (many.total_bytes - few.total_bytes) / rows;
        let peak = many.max_bytes.saturating_sub(few.max_bytes);
        let (whole, part) = (hundredths / 100, hundredths % 100);
        println!("{name} allocations_per_row={whole}.{part:02} bytes_per_row={bytes} peak_bytes_more={peak}");
    }
}

/// A fake server in a process of its own.
struct Served {
    process: Child,
    node: NodeUrl,
}

impl Served {
    fn start(sessions: u64) -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut process = Command::new(program)
            .args([SERVE, &sessions.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut url).expect("the server says where it listens");
        Self { process, node: url.trim().parse().expect("a URL") }
    }

    /// What one snapshot with all its rows written asks for, from before it connects.
    fn measure(&self, detailed: bool) -> dhat::HeapStats {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let _counting = dhat::Profiler::builder().testing().build();
        let (selection, form) = (Selection::default(), Form::Csv { formula_guard: true });
        runtime.block_on(async {
            let limits = Limits::default();
            let mut snapshot = if detailed {
                take_detailed_snapshot(&self.node, &selection, Statements::Whole, form, &limits).await
            } else {
                take_snapshot(&self.node, &selection, Statements::Whole, form, &limits).await
            }
            .expect("the fake server answers");
            snapshot.body.write_to(&mut std::io::sink()).expect("a sink takes everything");
        });
        dhat::HeapStats::get()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
