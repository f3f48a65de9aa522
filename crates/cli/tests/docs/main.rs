//! Runs the commands of the README as written, on a private database server.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use clew_testkit::{Flavor, Server, ServerOptions};
use mysql_async::prelude::Queryable;
use tokio::process::Command;

const README: &str = include_str!("../../../../README.md");
/// Line of the README with the URL of the user's server.
const SERVER_URL_LINE: &str = "DB=mysql://root@127.0.0.1:3306/\n";
/// Maximum duration of all commands, in seconds.
const TIME_LIMIT_SECONDS: &str = "120";

/// Returns the contents of all `sh` code blocks.
fn sh_blocks(markdown: &str) -> String {
    markdown.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}

/// Returns an address on which no server listens.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn run_readme(flavor: Flavor) {
    let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
    server
        .run(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(10)) ENGINE = InnoDB",
            "INSERT INTO shop.orders VALUES (42, 'new')",
        ])
        .await
        .unwrap();
    let _idle = server.connect().await.unwrap();
    let mut blocker = server.connect().await.unwrap();
    blocker.query_drop("BEGIN").await.unwrap();
    blocker.query_drop("UPDATE shop.orders SET status = 'paid' WHERE id = 42").await.unwrap();
    let mut waiter = server.connect().await.unwrap();
    let waiting = tokio::spawn(async move { waiter.query_drop("UPDATE shop.orders SET status = 'sent'").await });

    let commands = sh_blocks(README);
    assert!(commands.contains(SERVER_URL_LINE), "the README sets the server URL in another way");
    let commands = commands.replace(SERVER_URL_LINE, &format!("DB={}\n", server.url()));
    // The service ends with the shell, also after a failed command.
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{commands}");
    let directory = tempfile::tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_clew")).parent().unwrap();
    let output = Command::new("timeout")
        .args(["--kill-after=5", TIME_LIMIT_SECONDS, "sh", "-eux", "-c", &script])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("CLEW_LISTEN", free_address())
        .output()
        .await
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);

    waiting.await.unwrap().unwrap();
    assert!(blocker.query_drop("SELECT 1").await.is_err(), "the root blocker was killed: {stdout}");
    let collected = std::fs::read_to_string(directory.path().join("sessions.csv")).unwrap();
    assert!(collected.lines().count() > 1, "{collected}");
}

#[tokio::test]
async fn readme_commands_run_as_written_on_mysql() {
    run_readme(Flavor::MySql).await;
}

#[tokio::test]
async fn readme_commands_run_as_written_on_mariadb() {
    run_readme(Flavor::MariaDb).await;
}
