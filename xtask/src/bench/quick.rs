//! `cargo xtask bench --quick`: counts that do not depend on the machine. They are of the build that the tests use, and no clock is
//! looked at. Where one is to change, change it here and say why in the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::{FakeFleet, FakeOptions, FakeServer, Fault, Flavor, Load, LoadSize, Server, ServerOptions};
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};

use super::Bench;
use super::asked;
use super::counts::{Counts, matches, occurrences};
use super::rows::Wanted;
use super::served::Inventory;
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};
use crate::workspace;

/// What a command sends to a server, statement by statement; each of them over one connection.
struct Sent {
    command: &'static [&'static str],
    /// To MySQL and to MariaDB.
    statements: [u64; 2],
}

/// With transactions, and waits among them. Settings of the connection, and questions about the server, are statements too.
const SENT: [Sent; 4] = [
    Sent { command: &["snapshot", "--format", "csv"], statements: [6, 5] },
    Sent { command: &["snapshot", "--format", "csv", "--detail"], statements: [19, 10] },
    Sent { command: &["locks"], statements: [18, 10] },
    Sent { command: &["ps"], statements: [6, 5] },
];

const FLAVORS: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];
const SIZE: LoadSize = LoadSize { sessions: 200, transactions: 50, waiters: 10 };
/// Sessions of the fake server, and bytes of their CSV with its header.
const ROWS: u64 = 1000;
const BYTES: u64 = 139_255;
/// The most allocations of a hundred rows, plain and with details, in a build without optimisation. Every session of the fake server runs a
/// statement, so that two rows of timers are read for each.
const ALLOCATIONS: [(&str, u64); 2] = [("snapshot", 2750), ("detailed_snapshot", 2850)];
/// Nodes of the fleet, and sessions of each.
const NODES: u64 = 40;
const SESSIONS: u64 = 20;
/// Stands once in each row of a fake server.
const ROW: &str = "FOR UPDATE";
/// For a server to clear closed connections away. Only a connection that stays reaches it.
const CLEARED: Duration = Duration::from_secs(20);

/// Counts everything; fails at the end, with all that is wrong. What the tests have built is not built again.
pub(super) async fn count(clew: Option<PathBuf>) -> Result<(), XtaskError> {
    let programs = workspace::build("Building", &["build", "--workspace", "--all-targets"]).await?;
    let clew = clew.map_or_else(|| workspace::clew_among(&programs), Ok)?;
    let bench = Bench::of(clew, Wanted::default())?;
    let mut counts = Counts::default();
    steps::heading("Counts that do not depend on the machine");
    allocations(&workspace::program_among(&programs, "bench", "allocations")?, &mut counts).await?;
    fake(&bench, &mut counts).await?;
    fleet(&bench, &mut counts).await?;
    for (at, flavor) in FLAVORS.into_iter().enumerate() {
        real(&bench, flavor, at, &mut counts).await?;
    }
    counts.tell()
}

/// Allocations of a row, by `crates/mysql/benches/allocations.rs`.
async fn allocations(program: &Path, counts: &mut Counts) -> Result<(), XtaskError> {
    let step = Step::start("Allocations of a row");
    let count = Command::new(program).args(["--bench"]);
    let answer = count.answer().await?;
    for (name, most) in ALLOCATIONS {
        let found = hundredths(&answer, name).ok_or_else(|| XtaskError::Answer {
            command: count.shown(),
            cause: format!("it says nothing of {name}"),
            answer: answer.clone(),
        })?;
        counts.see_at_most(&format!("allocations of a hundred rows of a {name}"), found, most);
    }
    step.done();
    Ok(())
}

/// `snapshot allocations_per_row=10.01 …` as 1001.
fn hundredths(answer: &str, name: &str) -> Option<u64> {
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" allocations_per_row="))?;
    let (whole, part) = line.split(' ').next()?.split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?)
}

/// Rows and bytes, straight and through the API, and connections.
async fn fake(bench: &Bench, counts: &mut Counts) -> Result<(), XtaskError> {
    let step = Step::start("A snapshot of a thousand rows");
    let options = FakeOptions { sessions: ROWS, transactions: ROWS / 4, fault: Fault::None };
    let fake = FakeServer::start(options).await.map_err(|cause| XtaskError::Load { cause })?;
    let url = fake.url();
    let snapshot = Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str()]);
    let answer = snapshot.answer().await?;
    counts.see("rows of a snapshot", matches(answer.as_bytes(), ROW), ROWS);
    counts.see("bytes of a snapshot", answer.len() as u64, BYTES);
    counts.see("connections of a snapshot", fake.connections_taken(), 1);

    let inventory = Inventory::of(&bench.clew, &[url], 1).await?;
    let served = inventory.serve(None).await?;
    let Some(place) = inventory.nodes.first() else { return Ok(()) };
    let id = served.collect(place).await?;
    let file = bench.file("result.csv");
    let bytes = served.download(place, &id, &file).await?;
    counts.see("rows of a result", occurrences(&file, ROW)?, ROWS);
    counts.see("bytes of a result", bytes, BYTES);
    counts.see("connections of a collection", fake.connections_taken(), 2);
    counts.see("connections left by them", left(async || Ok(fake.connections())).await?, 0);
    served.stop().await?;
    step.done();
    Ok(())
}

/// One process, many nodes: one connection each, and none left.
async fn fleet(bench: &Bench, counts: &mut Counts) -> Result<(), XtaskError> {
    let step = Step::start("A collection from each of forty nodes");
    let options = FakeOptions { sessions: SESSIONS, transactions: SESSIONS / 4, fault: Fault::None };
    let started = FakeFleet::start(usize::try_from(NODES).unwrap_or(0), options).await;
    let fleet = started.map_err(|cause| XtaskError::Load { cause })?;
    let urls: Vec<String> = fleet.nodes().iter().map(FakeServer::url).collect();
    let inventory = Inventory::of(&bench.clew, &urls, urls.len()).await?;
    let served = inventory.serve(None).await?;
    let ids = served.collect_all(&inventory.nodes).await?;
    let file = bench.file("result.csv");
    let mut rows = 0;
    for (place, id) in inventory.nodes.iter().zip(&ids) {
        served.download(place, id, &file).await?;
        rows += occurrences(&file, ROW)?;
    }
    counts.see("rows of forty nodes", rows, NODES * SESSIONS);
    counts.see("connections to forty nodes", fleet.connections_taken(), NODES);
    counts.see("connections left there", left(async || Ok(fleet.connections())).await?, 0);
    served.stop().await?;
    step.done();
    Ok(())
}

/// Statements and connections, counted by the server itself.
async fn real(bench: &Bench, flavor: Flavor, at: usize, counts: &mut Counts) -> Result<(), XtaskError> {
    let step = Step::start(format!("What is sent to {flavor}"));
    let server = Server::start(flavor, &ServerOptions::default()).await?;
    let load = Load::start(&server, SIZE).await.map_err(|cause| XtaskError::Load { cause })?;
    let connected = async || connected(&server).await;
    let before = connected().await?;
    let url = server.url();
    for sent in &SENT {
        let name = sent.command.join(" ");
        step.detail(&name);
        let command = Command::new(&bench.clew).args(sent.command.iter().copied()).args([&url]);
        let asked = asked::by(&command, &server).await?;
        let expected = sent.statements.get(at).copied().unwrap_or_default();
        let statements = asked.statements.len() as u64;
        counts.see(&format!("statements of clew {name} to {flavor}"), statements, expected);
        if statements != expected {
            step.note(&asked.statements.join("\n  "));
        }
        counts.see(&format!("connections of clew {name} to {flavor}"), asked.connections as u64, 1);
    }
    let stay = left(async || Ok(connected().await?.saturating_sub(before))).await?;
    counts.see(&format!("connections left to {flavor}"), stay, 0);
    drop(load);
    step.done();
    Ok(())
}

async fn connected(server: &Server) -> Result<u64, XtaskError> {
    let failed = |cause| XtaskError::Database { doing: "count a server's connections", cause };
    let mut control = server.connect().await.map_err(failed)?;
    let row: Option<(String, u64)> =
        control.query_first("SHOW STATUS LIKE 'Threads_connected'").await.map_err(failed)?;
    control.disconnect().await.map_err(failed)?;
    Ok(row.map_or(0, |(_, connected)| connected))
}

/// What stays of connections that should all be closed.
async fn left(connections: impl AsyncFn() -> Result<u64, XtaskError>) -> Result<u64, XtaskError> {
    let start = Instant::now();
    loop {
        let open = connections().await?;
        if open == 0 || start.elapsed() > CLEARED {
            return Ok(open);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_read_by_name() {
        let answer =
            "snapshot allocations_per_row=10.01 bytes_per_row=4\ndetailed_snapshot allocations_per_row=9.50 x\n";
        assert_eq!(hundredths(answer, "snapshot"), Some(1001));
        assert_eq!(hundredths(answer, "detailed_snapshot"), Some(950));
        assert_eq!(hundredths(answer, "locks"), None);
    }
}
