//! `clew collect`

use std::process::Stdio;

use clew_testkit::{DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor};
use rstest::rstest;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::run::{clew, initialize, run, run_command};

/// Running server with one instance that has one node.
pub(crate) struct Service {
    _process: Child,
    _folder: tempfile::TempDir,
    endpoint: String,
    credentials: Value,
    instance: String,
    node: String,
}

impl Service {
    pub(crate) async fn start(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data");
        let credentials = initialize(&dir).await;
        let dir = dir.to_str().unwrap();
        let added =
            run(&["instance", "add", "--name", "a", "--node", url, "--format", "json", "--data-dir", dir]).await;
        let added: Value = serde_json::from_str(&added.stdout).unwrap();
        let mut process = clew(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut endpoint = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut endpoint).await.unwrap();
        Self {
            _process: process,
            _folder: folder,
            endpoint: endpoint.trim().to_owned(),
            credentials,
            instance: added["instance_id"].as_str().unwrap().to_owned(),
            node: added["nodes"][0]["id"].as_str().unwrap().to_owned(),
        }
    }

    fn collect(&self, arguments: &[&str]) -> Command {
        let mut command = clew(&[&["collect", "--instance", &self.instance, "--node", &self.node], arguments].concat());
        command.env("CLEW_ENDPOINT", &self.endpoint);
        command
    }

    pub(crate) fn with_key(&self, arguments: &[&str]) -> Command {
        let mut command = self.collect(arguments);
        for (variable, name) in
            [("CLEW_PROJECT_ID", "project_id"), ("CLEW_ACCESS_KEY", "access_key"), ("CLEW_SECRET_KEY", "secret_key")]
        {
            command.env(variable, self.credentials[name].as_str().unwrap());
        }
        command
    }
}

#[tokio::test]
async fn result_is_written_to_stdout_or_a_file() {
    let fake = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let service = Service::start(&fake.url()).await;
    let by_key = run_command(service.with_key(&["--sort-dir", "desc"])).await;
    assert_eq!((by_key.code, by_key.stderr.as_str()), (Some(0), ""), "{by_key:?}");
    let ids: Vec<_> = by_key.stdout.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["session_id", "3", "2", "1"]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.csv");
    let mut by_password = service.collect(&["-o", path.to_str().unwrap(), "--language", "zh-cn"]);
    for (variable, name) in [
        ("CLEW_REGION", "region"),
        ("CLEW_DOMAIN_NAME", "domain_name"),
        ("CLEW_USER", "user"),
        ("CLEW_PASSWORD", "password"),
    ] {
        by_password.env(variable, service.credentials[name].as_str().unwrap());
    }
    let by_password = run_command(by_password).await;
    assert_eq!((by_password.code, by_password.stdout.as_str()), (Some(0), ""), "{by_password:?}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("\u{feff}会话ID,"));
}

#[rstest]
#[tokio::test]
async fn incomplete_result_is_reported(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    server.run_statements(&["CREATE USER watcher@'%'"]).await.unwrap();
    let service = Service::start(&format!("mysql://watcher@127.0.0.1:{}/", server.port())).await;
    let output = run_command(service.with_key(&[])).await;
    assert_eq!(output.code, Some(0), "{flavor}: {output:?}");
    assert_eq!(output.stdout.lines().count(), 1, "only the header row: {flavor}: {output:?}");
    assert!(output.stderr.contains("GRANT PROCESS ON *.* TO"), "{flavor}: {output:?}");
}

#[tokio::test]
async fn failed_collection_reports_the_reason_and_leaves_no_file() {
    let fake =
        FakeServer::start(FakeServerOptions { fault: Fault::TooManyConnections, ..FakeServerOptions::default() });
    let service = Service::start(&fake.await.unwrap().url()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.csv");
    let output = run_command(service.with_key(&["-o", path.to_str().unwrap()])).await;
    // The fake server may have terminated by then. Both possible failure reasons mention the node.
    output.assert_failed(&["the collection failed", "node"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn missing_or_wrong_credentials_are_rejected() {
    let fake = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let service = Service::start(&fake.url()).await;
    let mut without_credentials = service.collect(&[]);
    without_credentials.env("CLEW_PROJECT_ID", service.credentials["project_id"].as_str().unwrap());
    run_command(without_credentials).await.assert_refused(&["CLEW_USER is not set", "CLEW_ACCESS_KEY"]);
    let mut without_project = service.collect(&[]);
    without_project.env("CLEW_ACCESS_KEY", "AKTEST00000000000000").env("CLEW_SECRET_KEY", "x");
    run_command(without_project).await.assert_refused(&["neither a project nor a region", "clew init --format env"]);
    let mut wrong = service.with_key(&[]);
    wrong.env("CLEW_SECRET_KEY", "wrong");
    let wrong = run_command(wrong).await;
    wrong.assert_failed(&["APIGW.0301", "verify aksk signature fail"]);
    run_command(service.with_key(&["--threshold", "0"])).await.assert_refused(&["slow_process_threshold cannot be 0"]);
    let mut down = service.with_key(&[]);
    down.env("CLEW_ENDPOINT", "http://127.0.0.1:1");
    run_command(down).await.assert_failed(&["cannot connect to http://127.0.0.1:1"]);
}
