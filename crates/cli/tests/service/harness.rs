//! `clew init` and `clew serve` in a folder of their own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use clew_client::{Client, Credentials};
use clew_model::{AccessKeyId, InstanceId, NodeId, ProjectId};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// A data directory, and what `clew init` printed of it.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) credentials: Value,
}

/// An instance of the inventory.
pub(crate) struct Added {
    pub(crate) instance: InstanceId,
    pub(crate) nodes: Vec<NodeId>,
}

/// A running `clew serve`. Dropping it kills it.
pub(crate) struct Serving {
    process: Child,
    pub(crate) endpoint: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data");
        let output = Command::new(CLEW).args(["init", "--format", "json", "--data-dir"]).arg(dir).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self { credentials: serde_json::from_slice(&output.stdout).unwrap(), folder }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn credential(&self, name: &str) -> String {
        self.credentials[name].as_str().unwrap().to_owned()
    }

    /// Adds an instance with these nodes, the first of them the master.
    pub(crate) fn add_instance(&self, urls: &[&str]) -> Added {
        let mut command = Command::new(CLEW);
        command.args(["instance", "add", "--name", "test", "--format", "json", "--data-dir"]).arg(self.dir());
        command.env("CLEW_DB_PASSWORD", "");
        for url in urls {
            command.args(["--node", url]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let added: Value = serde_json::from_slice(&output.stdout).unwrap();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        Added {
            instance: id(&added["instance_id"]).parse().unwrap(),
            nodes: added["nodes"].as_array().unwrap().iter().map(|node| id(&node["id"]).parse().unwrap()).collect(),
        }
    }

    /// Starts serving, and waits for the address. Its log goes to `serve.log` beside the data.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_by(Command::new(CLEW))
    }

    /// Starts serving by a command that takes the arguments of `clew`.
    pub(crate) fn serve_by(&self, mut command: Command) -> Serving {
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("serve.log")).unwrap();
        let mut process = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(stdout.lines().next()));
        let line = receiver.recv_timeout(Duration::from_mins(1)).unwrap_or_default();
        let Some(Ok(endpoint)) = line else {
            let _ = process.kill();
            let _ = process.wait();
            panic!("clew serve said no address; its log:\n{}", self.log());
        };
        Serving { process, endpoint }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// A token of the administrator for the project.
    pub(crate) async fn token(&self, endpoint: &str) -> String {
        self.sign_in(endpoint, json!({ "project": { "id": self.credential("project_id") } })).await
    }

    /// A token of the administrator for the whole domain.
    pub(crate) async fn domain_token(&self, endpoint: &str) -> String {
        self.sign_in(endpoint, json!({ "domain": { "name": self.credential("domain_name") } })).await
    }

    async fn sign_in(&self, endpoint: &str, scope: serde_json::Value) -> String {
        let domain = json!({ "name": self.credential("domain_name") });
        let user =
            json!({ "name": self.credential("user"), "password": self.credential("password"), "domain": domain });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let body = json!({ "auth": { "identity": identity, "scope": scope } });
        let response = http().post(format!("{endpoint}/v3/auth/tokens")).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        response.headers()["x-subject-token"].to_str().unwrap().to_owned()
    }

    /// A client with the administrator's access key.
    pub(crate) fn client(&self, serving: &Serving) -> Client {
        let id: AccessKeyId = self.credential("access_key").parse().unwrap();
        let project: ProjectId = self.credential("project_id").parse().unwrap();
        Client::builder(&serving.endpoint)
            .credentials(Credentials::access_key(id, self.credential("secret_key").into()))
            .project(project)
            .build()
            .unwrap()
    }
}

/// A plain HTTP client.
pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

impl Serving {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}
