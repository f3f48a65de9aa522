//! `clew worker`: requirements, operations endpoints and shutdown.

use std::process::Stdio;
use std::time::Duration;

use clew_testkit::{PostgreSqlServer, S3Server};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::run::{clew, initialize, run, run_command};

#[tokio::test]
async fn workers_require_shared_stores() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let dir = dir.to_str().unwrap();
    for options in
        [&[][..], &["--metadata-url", "postgres://clew@127.0.0.1:1/clew"], &["--results", "s3://results/clew"]]
    {
        for command in [&["worker"][..], &["serve", "--no-worker", "--listen", "127.0.0.1:0"]] {
            let output = run(&[command, &["--data-dir", dir], options].concat()).await;
            output.assert_refused(&["require shared metadata and results", "--metadata-url", "--results"]);
        }
    }
}

#[tokio::test]
async fn workers_share_a_directory_and_serve_only_operations_endpoints_on_a_server() {
    let (metadata, results) = tokio::join!(PostgreSqlServer::start(), S3Server::start());
    let (metadata, results) = (metadata.unwrap(), results.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data").display().to_string();
    let with = |arguments: &[&str]| {
        let (key, secret) = S3Server::ADMIN_CREDENTIALS;
        let mut command = clew(arguments);
        command
            .env("CLEW_DATA_DIR", &dir)
            .env("CLEW_METADATA_URL", metadata.url())
            .env("CLEW_RESULTS", "s3://results/clew");
        command.env("AWS_ENDPOINT_URL", results.endpoint()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
        command
    };
    assert_eq!(run_command(with(&["init"])).await.code, Some(0));
    let mut workers = Vec::new();
    for arguments in [&["worker"][..], &["worker", "--listen", "127.0.0.1:0"]] {
        let mut worker = with(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(worker.stdout.take().unwrap());
        tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await.unwrap().unwrap();
        workers.push((worker, line));
    }
    assert_eq!(workers[0].1, "working\n");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = workers[1].1.trim_end().strip_prefix("working ").unwrap();
    for (path, status) in
        [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/openapi.json", 404), ("/v3/auth/tokens", 404)]
    {
        assert_eq!(reqwest::get(format!("{address}{path}")).await.unwrap().status(), status, "{path}");
    }
    let counts = reqwest::get(format!("{address}/metrics")).await.unwrap().text().await.unwrap();
    assert!(counts.contains("clew_collected_rows_total 0"), "{counts}");
    for (worker, _) in workers {
        let pid = worker.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let output = tokio::time::timeout(Duration::from_mins(1), worker.wait_with_output()).await.unwrap().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{log}");
        let last = log.lines().last().unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["message"], "worker stopped", "{log}");
    }
}
