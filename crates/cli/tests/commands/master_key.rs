//! `clew master-key rotate` and `clew metadata copy`: rotation of the master key, and the copy to PostgreSQL.

use std::process::Stdio;
use std::time::Duration;

use clew_testkit::{PostgreSqlServer, S3Server};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::run::{clew, initialize, run, run_command};

#[tokio::test]
async fn master_key_rotates_and_metadata_is_copied_to_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    initialize(&dir).await;
    let at = dir.to_str().unwrap();
    let added = ["instance", "add", "--name", "shop", "--node", "mysql://u:p@127.0.0.1:1/,zone=dmz", "--data-dir", at];
    assert_eq!(run(&added).await.code, Some(0));
    let key = || std::fs::read_to_string(dir.join("master.key")).unwrap();
    let before = key();
    let rotated = run(&["master-key", "rotate", "--data-dir", at]).await;
    assert_eq!((rotated.code, rotated.stdout.contains("2 secrets were re-encrypted")), (Some(0), true), "{rotated:?}");
    assert_ne!(key(), before);
    assert_eq!(run(&["audit", "verify", "--data-dir", at]).await.code, Some(0));
    let mut with_key_in_environment = clew(&["master-key", "rotate", "--data-dir", at]);
    with_key_in_environment.env("CLEW_MASTER_KEY", key().trim());
    run_command(with_key_in_environment).await.assert_failed(&["CLEW_NEW_MASTER_KEY", "openssl rand -hex 32"]);

    let server = PostgreSqlServer::start().await.unwrap();
    let url = server.url();
    let copy = ["metadata", "copy", "--data-dir", at, "--to", &url];
    let preview = run(&[&copy[..], &["--dry-run"]].concat()).await;
    assert!(preview.code == Some(0) && preview.stdout.contains("nothing was changed"), "{preview:?}");
    run(&["instance", "list", "--data-dir", at, "--metadata-url", &url])
        .await
        .assert_refused(&["is not initialized yet"]);
    let copied = run(&[&copy[..], &["--format", "json"]].concat()).await;
    let tables: serde_json::Value = serde_json::from_str(&copied.stdout).unwrap();
    assert!(tables["copied"] == true && tables["tables"].as_array().unwrap().len() > 20, "{copied:?}");
    run(&copy).await.assert_refused(&["is not empty", "--to"]);
    let with_postgresql =
        |command: &'static [&'static str]| [command, &["--data-dir", at, "--metadata-url", &url]].concat();
    let listed = run(&with_postgresql(&["instance", "list"])).await;
    assert!(listed.stdout.contains("shop") && listed.stdout.contains("dmz"), "{listed:?}");
    assert_eq!(run(&with_postgresql(&["audit", "verify"])).await.code, Some(0));
    let checked = run(&with_postgresql(&["instance", "check", "shop"])).await;
    assert!(checked.stdout.contains("Zone dmz has no running worker"), "{checked:?}");
}

/// A running worker exits after a key rotation. After a restart, the worker uses the next key from its data directory.
#[tokio::test]
async fn worker_exits_after_master_key_rotation() {
    let (metadata, results) = tokio::join!(PostgreSqlServer::start(), S3Server::start());
    let (metadata, results) = (metadata.unwrap(), results.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let dirs = ["one", "two"].map(|name| folder.path().join(name));
    let with = |arguments: &[&str], dir: &std::path::Path| {
        let (key, secret) = S3Server::ADMIN_CREDENTIALS;
        let mut command = clew(arguments);
        command
            .env("CLEW_DATA_DIR", dir)
            .env("CLEW_METADATA_URL", metadata.url())
            .env("CLEW_RESULTS", "s3://results/clew");
        command.env("AWS_ENDPOINT_URL", results.endpoint()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
        command
    };
    let start_worker = async || {
        let mut worker =
            with(&["worker", "--zone", "dmz"], &dirs[1]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(worker.stdout.take().unwrap());
        tokio::time::timeout(Duration::from_mins(1), stdout.read_line(&mut line)).await.unwrap().unwrap();
        assert_eq!(line, "working\n");
        worker
    };
    assert_eq!(run_command(with(&["init"], &dirs[0])).await.code, Some(0));
    std::fs::create_dir(&dirs[1]).unwrap();
    let copy_key_file = |name: &str| std::fs::copy(dirs[0].join(name), dirs[1].join(name)).unwrap();
    copy_key_file("master.key");
    let worker = start_worker().await;
    let prepared = run_command(with(&["master-key", "rotate", "--prepare"], &dirs[0])).await;
    assert!(prepared.code == Some(0) && prepared.stdout.contains("master.key.next"), "{prepared:?}");
    copy_key_file("master.key.next");
    let rotated = run_command(with(&["master-key", "rotate"], &dirs[0])).await;
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let output = tokio::time::timeout(Duration::from_mins(1), worker.wait_with_output()).await.unwrap().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && log.contains("the master key was rotated"), "{log}");

    let restarted = start_worker().await;
    let key = |dir: &std::path::Path| std::fs::read_to_string(dir.join("master.key")).unwrap();
    assert_eq!(key(&dirs[0]), key(&dirs[1]));
    let pid = restarted.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = tokio::time::timeout(Duration::from_mins(1), restarted.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let verified = run_command(with(&["audit", "verify"], &dirs[0])).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
