//! `--metadata-url`: commands that store the metadata in PostgreSQL.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clew_testkit::PostgreSqlServer;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::run::{CommandOutput, clew, run, run_command};

/// Runs a command with the database URL in `CLEW_METADATA_URL`, the recommended way to pass a password.
async fn run_with_database(database: &str, dir: &Path, arguments: &[&str]) -> CommandOutput {
    let mut command = clew(arguments);
    command.args(["--data-dir", dir.to_str().unwrap()]).env("CLEW_METADATA_URL", database);
    run_command(command).await
}

#[tokio::test]
async fn commands_work_with_a_postgresql_database() {
    let (server, folder) = (PostgreSqlServer::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (url, dir) = (server.url(), folder.path().join("data"));
    run_with_database(&url, &dir, &["migrate"]).await.assert_refused(&["is not initialized yet", "clew init"]);
    let made = run_with_database(&url, &dir, &["init"]).await;
    assert!(made.code == Some(0) && made.stdout.contains("and the same --metadata-url"), "{made:?}");
    assert!(!dir.join("clew.db").exists() && dir.join("master.key").exists());
    let second_init = run_with_database(&url, &folder.path().join("other"), &["init"]).await;
    second_init.assert_refused(&["postgres://127.0.0.1:", "is already initialized"]);

    let created = run_with_database(&url, &dir, &["group", "create", "dbas"]).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let migrated = run_with_database(&url, &dir, &["migrate"]).await;
    assert_eq!(
        (migrated.code, migrated.stdout.contains("the schema of this version")),
        (Some(0), true),
        "{migrated:?}"
    );
    let list_command = ["group", "list", "--data-dir", dir.to_str().unwrap(), "--metadata-url", &url];
    let listed = run(&list_command).await;
    assert!(listed.stdout.contains("dbas"), "{listed:?}");
    let verified = run_with_database(&url, &dir, &["audit", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");

    let file = folder.path().join("clew.toml");
    std::fs::write(&file, format!("metadata_url = {url:?}\ndata_dir = {dir:?}\nlisten = \"127.0.0.1:0\"\n")).unwrap();
    let mut server_process = clew(&["serve", "--config", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server_process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    let pid = server_process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = tokio::time::timeout(Duration::from_mins(1), server_process.wait()).await.unwrap().unwrap();
    assert_eq!(output.code(), Some(0));
}

#[tokio::test]
async fn database_errors_omit_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let unused_address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, words) in [
        ("mysql://clew:hunter2@h/clew".to_owned(), "it does not begin with postgres://"),
        (format!("postgres://clew:hunter2@{unused_address}/clew"), "check whether the database is reachable"),
    ] {
        let output = run_with_database(&url, &folder.path().join("data"), &["init"]).await;
        assert!(output.code != Some(0) && output.stderr.contains(words), "{output:?}");
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
}

#[tokio::test]
async fn password_in_an_argument_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    let dir = dir.to_str().unwrap();
    let url = "postgres://clew:hunter2@127.0.0.1:1/clew";
    let joined = format!("--metadata-url={url}");
    for arguments in [
        vec!["init", "--data-dir", dir, "--metadata-url", url],
        vec!["serve", "--data-dir", dir, &joined],
        vec![
            "worker",
            "--metadata-url",
            "postgresql://clew@127.0.0.1:1/clew?password=hunter2",
            "--results",
            "s3://r/c",
        ],
        vec!["audit", "verify", "--data-dir", dir, "--metadata-url", url],
        vec!["metadata", "copy", "--data-dir", dir, "--to", url],
    ] {
        let output = run(&arguments).await;
        output.assert_refused(&["contains a password", "PGPASSWORD", "PGPASSFILE", "CLEW_METADATA_URL"]);
        assert!(!output.stderr.contains("hunter2") && !folder.path().join("data").exists(), "{output:?}");
    }
    // Other accounts cannot see the environment, so a password in the URL is accepted.
    let output = run_with_database(url, &folder.path().join("data"), &["init"]).await;
    assert!(output.code == Some(1) && !output.stderr.contains("contains a password"), "{output:?}");
}
