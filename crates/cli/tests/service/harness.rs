//! Test harness: an initialized data directory and a running service.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use clew_client::{Client, ClientConfig, Credentials, ProjectRef};
use clew_model::{AccessKeyId, InstanceId, NodeId, ProjectId};
use clew_store::StoreLocation;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backend::{self, Backend};

pub(crate) const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// A data directory with the credentials from `clew init`.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    backend: Backend,
    credentials: Value,
}

/// A registered instance.
pub(crate) struct RegisteredInstance {
    pub(crate) instance: InstanceId,
    pub(crate) nodes: Vec<NodeId>,
}

/// Running service: one `clew serve` process, or several processes behind one address.
/// Dropping the value kills the processes.
pub(crate) struct RunningService {
    processes: Vec<Child>,
    pub(crate) endpoint: String,
    _load_balancer: backend::LoadBalancer,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::new(folder.path().join("data")).await;
        let mut home = Self { folder, backend, credentials: Value::Null };
        let output = home.clew().args(["init", "--format", "json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        home.credentials = serde_json::from_slice(&output.stdout).unwrap();
        home
    }

    /// Returns the `clew` command with the environment variables for the backend.
    pub(crate) fn clew(&self) -> Command {
        let mut command = Command::new(CLEW);
        command.envs(self.backend.environment());
        command
    }

    pub(crate) fn dir(&self) -> &Path {
        self.backend.dir()
    }

    /// Returns the location of the store.
    pub(crate) fn location(&self) -> StoreLocation {
        self.backend.location()
    }

    /// Opens a connection to the metadata database.
    pub(crate) async fn metadata(&self) -> backend::Connection {
        self.backend.connect().await
    }

    /// Returns the directories of all stored data, with names.
    pub(crate) fn storage_dirs(&self) -> Vec<(&'static str, PathBuf)> {
        self.backend.storage_dirs()
    }

    pub(crate) fn credential(&self, name: &str) -> String {
        self.credentials[name].as_str().unwrap().to_owned()
    }

    /// Registers an instance named `test`. The first node is the master.
    pub(crate) fn add_instance(&self, urls: &[&str]) -> RegisteredInstance {
        self.add_named_instance("test", urls)
    }

    /// Registers an instance. The first node is the master.
    pub(crate) fn add_named_instance(&self, name: &str, urls: &[&str]) -> RegisteredInstance {
        let mut command = self.clew();
        command.args(["instance", "add", "--name", name, "--format", "json", "--data-dir"]).arg(self.dir());
        command.env("CLEW_DB_PASSWORD", "");
        for url in urls {
            command.args(["--node", url]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let added: Value = serde_json::from_slice(&output.stdout).unwrap();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        RegisteredInstance {
            instance: id(&added["instance_id"]).parse().unwrap(),
            nodes: added["nodes"].as_array().unwrap().iter().map(|node| id(&node["id"]).parse().unwrap()).collect(),
        }
    }

    /// Starts the service, and waits for its address. The processes log to `serve.log` next to the data directory.
    pub(crate) async fn serve(&self) -> RunningService {
        self.serve_with_command(|| Command::new(CLEW)).await
    }

    /// Starts the service with a configuration file.
    pub(crate) async fn serve_with_config(&self, configuration: &Path) -> RunningService {
        self.serve_with_command(|| {
            let mut command = Command::new(CLEW);
            command.env("CLEW_CONFIG", configuration);
            command
        })
        .await
    }

    /// Starts the service with a custom command that accepts the arguments of `clew`.
    pub(crate) async fn serve_with_command(&self, clew: impl Fn() -> Command) -> RunningService {
        let mut processes = StartedProcesses::default();
        let (endpoint, load_balancer) = backend::serve(self, &clew, &mut processes).await;
        RunningService { processes: std::mem::take(&mut processes.0), endpoint, _load_balancer: load_balancer }
    }

    /// Starts a process, and waits for its first line on stdout.
    pub(crate) fn start(
        &self,
        mut command: Command,
        arguments: &[&str],
        dir: &Path,
        processes: &mut StartedProcesses,
    ) -> String {
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("serve.log")).unwrap();
        let started = command.args(arguments).arg("--data-dir").arg(dir).envs(self.backend.environment());
        let started = started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut process = started.unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        processes.0.push(process);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(stdout.lines().next()));
        match receiver.recv_timeout(Duration::from_mins(1)).unwrap_or_default() {
            Some(Ok(line)) => line,
            _ => panic!("clew {arguments:?} printed no address; log:\n{}", self.log()),
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// Returns a project token of the administrator.
    pub(crate) async fn token(&self, endpoint: &str) -> String {
        self.sign_in(endpoint, json!({ "project": { "id": self.credential("project_id") } })).await
    }

    /// Returns a domain token of the administrator.
    pub(crate) async fn domain_token(&self, endpoint: &str) -> String {
        self.sign_in(endpoint, json!({ "domain": { "name": self.credential("domain_name") } })).await
    }

    /// Returns a domain token of the administrator from a console sign-in, which allows changes to identities.
    pub(crate) async fn console_token(&self, endpoint: &str) -> String {
        let session = format!("{endpoint}/clew/v1/console/session");
        let token = |response: &reqwest::Response| {
            let cookie = response.headers()["set-cookie"].to_str().unwrap();
            cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned()
        };
        let (domain, user) = (self.credential("domain_name"), self.credential("user"));
        let body = json!({ "domain": domain, "user": user, "password": self.credential("password") });
        let signed_in = http().post(&session).json(&body).send().await.unwrap();
        assert_eq!(signed_in.status(), 201);
        let of_domain = http().post(format!("{session}/project")).header("x-auth-token", token(&signed_in));
        let of_domain = of_domain.json(&json!({ "project_id": null })).send().await.unwrap();
        assert_eq!(of_domain.status(), 200);
        token(&of_domain)
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

    /// Returns an API client with the access key of the administrator.
    pub(crate) fn client(&self, serving: &RunningService) -> Client {
        let id: AccessKeyId = self.credential("access_key").parse().unwrap();
        let project: ProjectId = self.credential("project_id").parse().unwrap();
        let credentials = Credentials::access_key(id, self.credential("secret_key").into());
        Client::new(ClientConfig::new(&serving.endpoint, credentials, ProjectRef::Project(project))).unwrap()
    }
}

/// Returns an HTTP client, after installing the TLS provider.
pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Processes that the test has started. Dropping the value kills the processes.
#[derive(Default)]
pub(crate) struct StartedProcesses(Vec<Child>);

impl Drop for StartedProcesses {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}

/// Kills the processes with SIGKILL, and waits for their exit.
fn kill(processes: &mut [Child]) {
    for process in processes.iter_mut() {
        let _ = process.kill();
    }
    for process in processes {
        let _ = process.wait();
    }
}

impl RunningService {
    /// Kills all processes with SIGKILL, and waits for their exit.
    pub(crate) fn kill(&mut self) {
        kill(&mut self.processes);
    }

    /// Returns the maximum of the peak memory of all processes, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let peak = |process: &Child| -> u64 {
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        self.processes.iter().map(peak).max().unwrap()
    }
}

impl Drop for RunningService {
    fn drop(&mut self) {
        self.kill();
    }
}
