//! `cargo xtask bench --quick`: checks machine-independent counts of statements, rows and memory allocations.
//! If a commit changes an expected count, the commit message must explain the change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step};
use clew_devtools::workspace;
use clew_testkit::{
    BenchmarkSessionCounts, BenchmarkSessions, DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerFleet,
    FakeServerOptions, Fault, Flavor,
};
use mysql_async::prelude::Queryable;

use crate::BenchmarkContext;
use crate::benchmark_case::BenchmarkFilter;
use crate::count_checks::{ResourceCounts, count_occurrences, count_occurrences_in_file, wait_until_connections_close};
use crate::error::BenchError;
use crate::query_log;
use crate::server_harness::DeploymentWithNodes;

struct ExpectedStatementCount {
    command: &'static [&'static str],
    /// Expected statement counts: the first for MySQL, the second for MariaDB.
    statements: [u64; 2],
}

/// The counts include statements that set session variables or query server capabilities.
const EXPECTED_STATEMENT_COUNTS: [ExpectedStatementCount; 4] = [
    ExpectedStatementCount { command: &["snapshot", "--format", "csv"], statements: [6, 5] },
    ExpectedStatementCount { command: &["snapshot", "--format", "csv", "--detail"], statements: [19, 10] },
    ExpectedStatementCount { command: &["locks"], statements: [18, 10] },
    ExpectedStatementCount { command: &["ps"], statements: [6, 5] },
];

const SERVER_FLAVORS: [Flavor; 2] = [Flavor::MySql, Flavor::MariaDb];
const SINGLE_NODE_SESSION_COUNTS: BenchmarkSessionCounts =
    BenchmarkSessionCounts { sessions: 200, transactions: 50, waiters: 10 };
const SNAPSHOT_ROW_COUNT: u64 = 1000;
const EXPECTED_SNAPSHOT_BYTES: u64 = 139_255;
/// Maximum number of memory allocations per 100 rows in an unoptimized build, by type of snapshot.
/// For each session, Clew also reads one row of `threads` and one row of `events_statements_current`.
const MAX_ALLOCATIONS_PER_HUNDRED_ROWS: [(&str, u64); 2] = [("snapshot", 2750), ("detailed_snapshot", 2850)];
const NODE_COUNT: u64 = 40;
const SESSIONS_PER_NODE: u64 = 20;
/// Text that every process list row of a fake server contains exactly once.
const PROCESS_LIST_ROW_MARKER: &str = "FOR UPDATE";
/// Clew exceeds the limit only if it leaks a connection.
const CONNECTION_CLOSE_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn check_resource_counts(clew: Option<PathBuf>) -> Result<(), BenchError> {
    let programs =
        workspace::build_programs("Building the workspace", &["build", "--workspace", "--all-targets"]).await?;
    let clew = clew.map_or_else(|| workspace::find_clew_program(&programs), Ok)?;
    let bench = BenchmarkContext::new(clew, BenchmarkFilter::default())?;
    let mut counts = ResourceCounts::default();
    progress::print_heading("Machine-independent counts");
    check_memory_allocation_counts(&workspace::find_built_program(&programs, "bench", "allocations")?, &mut counts)
        .await?;
    check_single_node_counts(&bench, &mut counts).await?;
    check_fleet_connection_counts(&bench, &mut counts).await?;
    for (at, flavor) in SERVER_FLAVORS.into_iter().enumerate() {
        check_statement_counts(&bench, flavor, at, &mut counts).await?;
    }
    Ok(counts.verify_counts()?)
}

async fn check_memory_allocation_counts(program: &Path, counts: &mut ResourceCounts) -> Result<(), BenchError> {
    let step = Step::start("Counting allocations per row");
    let command = Command::new(program).args(["--bench"]);
    let output = command.output().await?;
    for (name, maximum) in MAX_ALLOCATIONS_PER_HUNDRED_ROWS {
        let found = parse_allocations_per_hundred_rows(&output, name).ok_or_else(|| {
            let cause = format!("the count of {name} is missing");
            DevtoolsError::unexpected_output_error(command.command_line(), cause, output.as_str())
        })?;
        counts.expect_max_count(&format!("allocations per 100 rows of {name}"), found, maximum);
    }
    step.complete();
    Ok(())
}

/// Returns 1001 for the line `snapshot allocations_per_row=10.01 …`.
fn parse_allocations_per_hundred_rows(output: &str, name: &str) -> Option<u64> {
    let line = output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" allocations_per_row="))?;
    let (integer, fraction) = line.split(' ').next()?.split_once('.')?;
    Some(integer.parse::<u64>().ok()? * 100 + fraction.parse::<u64>().ok()?)
}

async fn check_single_node_counts(bench: &BenchmarkContext, counts: &mut ResourceCounts) -> Result<(), BenchError> {
    let step = Step::start("Checking a snapshot of 1,000 rows");
    let options =
        FakeServerOptions { sessions: SNAPSHOT_ROW_COUNT, transactions: SNAPSHOT_ROW_COUNT / 4, fault: Fault::None };
    let fake = FakeServer::start(options).await?;
    let url = fake.url();
    let snapshot = Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str()]);
    let output = snapshot.output().await?;
    counts.expect_exact_count(
        "rows of a snapshot",
        count_occurrences(output.as_bytes(), PROCESS_LIST_ROW_MARKER),
        SNAPSHOT_ROW_COUNT,
    );
    counts.expect_exact_count("bytes of a snapshot", output.len() as u64, EXPECTED_SNAPSHOT_BYTES);
    counts.expect_exact_count("connections of a snapshot", fake.connections.accepted_count(), 1);

    let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &[url], 1).await?;
    let server = inventory.start_server(&[], None).await?;
    let Some(node) = inventory.nodes.first() else { return Ok(()) };
    let id = server.run_session_collection(node).await?;
    let file = bench.temp_file_path("result.csv");
    let bytes = server.download_result(node, &id, &file).await?;
    counts.expect_exact_count(
        "rows of a result",
        count_occurrences_in_file(&file, PROCESS_LIST_ROW_MARKER)?,
        SNAPSHOT_ROW_COUNT,
    );
    counts.expect_exact_count("bytes of a result", bytes, EXPECTED_SNAPSHOT_BYTES);
    counts.expect_exact_count("connections of a collection", fake.connections.accepted_count(), 2);
    counts.expect_exact_count(
        "connections left open after both",
        wait_until_connections_close(CONNECTION_CLOSE_TIMEOUT, async || Ok(fake.connections.open_count())).await?,
        0,
    );
    server.stop().await?;
    step.complete();
    Ok(())
}

async fn check_fleet_connection_counts(
    bench: &BenchmarkContext,
    counts: &mut ResourceCounts,
) -> Result<(), BenchError> {
    let step = Step::start("Collecting from each of 40 nodes");
    let options =
        FakeServerOptions { sessions: SESSIONS_PER_NODE, transactions: SESSIONS_PER_NODE / 4, fault: Fault::None };
    let fleet = FakeServerFleet::start(usize::try_from(NODE_COUNT).unwrap_or(0), options).await?;
    let urls: Vec<String> = fleet.servers.iter().map(FakeServer::url).collect();
    let inventory = DeploymentWithNodes::register_nodes(&bench.clew, &urls, urls.len()).await?;
    let server = inventory.start_server(&[], None).await?;
    let ids = server.collect_sessions_from_all_nodes(&inventory.nodes).await?;
    let file = bench.temp_file_path("result.csv");
    let mut rows = 0;
    for (node, id) in inventory.nodes.iter().zip(&ids) {
        server.download_result(node, id, &file).await?;
        rows += count_occurrences_in_file(&file, PROCESS_LIST_ROW_MARKER)?;
    }
    counts.expect_exact_count("rows of 40 nodes", rows, NODE_COUNT * SESSIONS_PER_NODE);
    counts.expect_exact_count("connections to 40 nodes", fleet.connections.accepted_count(), NODE_COUNT);
    counts.expect_exact_count(
        "connections left open to 40 nodes",
        wait_until_connections_close(CONNECTION_CLOSE_TIMEOUT, async || Ok(fleet.connections.open_count())).await?,
        0,
    );
    server.stop().await?;
    step.complete();
    Ok(())
}

async fn check_statement_counts(
    bench: &BenchmarkContext,
    flavor: Flavor,
    at: usize,
    counts: &mut ResourceCounts,
) -> Result<(), BenchError> {
    let step = Step::start(format!("Counting statements on {flavor}"));
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await?;
    let load = BenchmarkSessions::start(&server, SINGLE_NODE_SESSION_COUNTS).await?;
    let before = count_connections(&server).await?;
    let url = server.url();
    for case in &EXPECTED_STATEMENT_COUNTS {
        let name = case.command.join(" ");
        step.set_spinner_text(&name);
        let command = Command::new(&bench.clew).args(case.command.iter().copied()).args([&url]);
        let log = query_log::capture_query_log(&command, &server).await?;
        let expected = case.statements.get(at).copied().unwrap_or_default();
        let statements = log.statements.len() as u64;
        counts.expect_exact_count(&format!("statements of clew {name} to {flavor}"), statements, expected);
        if statements != expected {
            step.print_note(&log.statements.join("\n  "));
        }
        counts.expect_exact_count(&format!("connections of clew {name} to {flavor}"), log.connections as u64, 1);
    }
    let remaining = wait_until_connections_close(CONNECTION_CLOSE_TIMEOUT, async || {
        Ok(count_connections(&server).await?.saturating_sub(before))
    })
    .await?;
    counts.expect_exact_count(&format!("connections left open to {flavor}"), remaining, 0);
    drop(load);
    step.complete();
    Ok(())
}

async fn count_connections(server: &DatabaseServer) -> Result<u64, BenchError> {
    let failed = DevtoolsError::operation_error("count a server's connections");
    let mut control = server.connect_as_root().await.map_err(failed)?;
    let row: Option<(String, u64)> =
        control.query_first("SHOW STATUS LIKE 'Threads_connected'").await.map_err(failed)?;
    control.disconnect().await.map_err(failed)?;
    Ok(row.map_or(0, |(_, connected)| connected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_parsed_by_name() {
        let output =
            "snapshot allocations_per_row=10.01 bytes_per_row=4\ndetailed_snapshot allocations_per_row=9.50 x\n";
        assert_eq!(parse_allocations_per_hundred_rows(output, "snapshot"), Some(1001));
        assert_eq!(parse_allocations_per_hundred_rows(output, "detailed_snapshot"), Some(950));
        assert_eq!(parse_allocations_per_hundred_rows(output, "locks"), None);
    }
}
