//! Runs the commands and programs of the documents as written, on private database servers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod command_lines;
mod named_tests;
mod source_paths;

use std::path::Path;

use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, test_tools};
use mysql_async::prelude::Queryable;
use rstest::rstest;
use tempfile::TempDir;
use tokio::process::Command;

const README: &str = include_str!("../../../../README.md");
const ACCESS_GUIDE: &str = include_str!("../../../../docs/access.md");
const SDK_GUIDE: &str = include_str!("../../../../docs/sdk.md");
/// Line of the README with the URL of the user's server.
const SERVER_URL_LINE: &str = "DB=mysql://root@127.0.0.1:3306/\n";
/// Commands that start the service and register a server with the URL in `$DB`, as in the README.
const START_SERVICE: &str = r#"
eval "$(clew init --format env)"
clew serve &
curl -fsS -o /dev/null --retry 10 --retry-connrefused "$CLEW_ENDPOINT/readyz"
clew instance add --name orders --node "$DB"
"#;
/// Maximum duration of all commands of a document, in seconds.
const TIME_LIMIT_SECONDS: &str = "120";

/// Returns the contents of all code blocks in a language.
fn code_blocks(markdown: &str, language: &str) -> String {
    let opening = format!("```{language}\n");
    let blocks = markdown.split(&opening).skip(1);
    blocks.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}

/// Returns an address on which no server listens.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Runs shell commands in a directory with `clew` on the `PATH`, and returns their standard output.
async fn run_commands(directory: &TempDir, database_url: &str, commands: &str) -> String {
    // The service ends with the shell, also after a failed command.
    let script = format!("trap 'kill ${{!-}} 2>/dev/null || true; wait' EXIT\n{commands}");
    let programs = Path::new(env!("CARGO_BIN_EXE_clew")).parent().unwrap();
    let output = Command::new("timeout")
        .args(["--kill-after=5", TIME_LIMIT_SECONDS, "sh", "-eux", "-c", &script])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("CLEW_LISTEN", free_address())
        .env("DB", database_url)
        .output()
        .await
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}

#[rstest]
#[tokio::test]
async fn readme_commands_run_as_written(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server
        .run_statements(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(10)) ENGINE = InnoDB",
            "INSERT INTO shop.orders VALUES (42, 'new')",
        ])
        .await
        .unwrap();
    let _idle = server.connect_as_root().await.unwrap();
    let mut blocker = server.connect_as_root().await.unwrap();
    blocker.query_drop("BEGIN").await.unwrap();
    blocker.query_drop("UPDATE shop.orders SET status = 'paid' WHERE id = 42").await.unwrap();
    let mut waiter = server.connect_as_root().await.unwrap();
    let waiting = tokio::spawn(async move { waiter.query_drop("UPDATE shop.orders SET status = 'sent'").await });

    let commands = code_blocks(README, "sh");
    assert!(commands.contains(SERVER_URL_LINE), "the README sets the server URL in another way");
    let commands = commands.replace(SERVER_URL_LINE, "");
    let directory = tempfile::tempdir().unwrap();
    let stdout = run_commands(&directory, &server.url(), &commands).await;

    waiting.await.unwrap().unwrap();
    assert!(blocker.query_drop("SELECT 1").await.is_err(), "the root blocker was killed: {stdout}");
    let collected = std::fs::read_to_string(directory.path().join("sessions.csv")).unwrap();
    assert!(collected.lines().count() > 1, "{collected}");
}

#[tokio::test]
async fn access_guide_commands_run_as_written_on_a_server() {
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("read-test.json"), code_blocks(ACCESS_GUIDE, "json")).unwrap();
    let commands = [START_SERVICE, &code_blocks(ACCESS_GUIDE, "sh")].concat();
    let stdout = run_commands(&directory, &server.url(), &commands).await;
    assert!(stdout.contains("ALLOWED"), "the simulated request is denied: {stdout}");
    assert!(!std::fs::read_to_string(directory.path().join("audit.ndjson")).unwrap().is_empty(), "{stdout}");
}

#[tokio::test]
async fn sdk_guide_program_runs_as_written_on_a_server() {
    let server = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let mut slow = server.connect_as_root().await.unwrap();
    let sleeping = tokio::spawn(async move { slow.query_drop("SELECT SLEEP(60)").await });
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("sdk.py"), code_blocks(SDK_GUIDE, "python")).unwrap();
    let python = test_tools::python_interpreter_path();
    let commands = [START_SERVICE, "sleep 2\n", &format!("{} sdk.py\n", python.display())].concat();
    run_commands(&directory, &server.url(), &commands).await;
    let collected = std::fs::read_to_string(directory.path().join("sessions.csv")).unwrap();
    assert!(collected.contains("SELECT SLEEP(60)"), "{collected}");
    sleeping.abort();
    let requirements = std::fs::read_to_string(test_tools::PIP_REQUIREMENTS_PATH).unwrap();
    let package = code_blocks(SDK_GUIDE, "sh").split_whitespace().last().unwrap().to_owned();
    assert!(requirements.contains(&package), "the guide installs another version than the tests: {package}");
}

#[test]
fn systemd_units_disable_core_dumps() {
    for unit in ["clew-server@.service", "clew-worker@.service"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/systemd").join(unit);
        assert!(std::fs::read_to_string(path).unwrap().lines().any(|line| line == "LimitCORE=0"), "{unit}");
    }
}
