//! `clew init` and a service in a place of their own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use clew_client::{Client, Credentials};
use clew_model::{AccessKeyId, InstanceId, NodeId, ProjectId};
use clew_store::Location;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::place::{self, Place};

pub(crate) const CLEW: &str = env!("CARGO_BIN_EXE_clew");

/// A data directory, and what `clew init` printed of it.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    place: Place,
    credentials: Value,
}

/// An instance of the inventory.
pub(crate) struct Added {
    pub(crate) instance: InstanceId,
    pub(crate) nodes: Vec<NodeId>,
}

/// A running service: one `clew serve`, or several processes behind one address. Dropping it kills them.
pub(crate) struct Serving {
    processes: Vec<Child>,
    pub(crate) endpoint: String,
    _front: place::Front,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path().join("data")).await;
        let mut home = Self { folder, place, credentials: Value::Null };
        let output = home.clew().args(["init", "--format", "json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        home.credentials = serde_json::from_slice(&output.stdout).unwrap();
        home
    }

    /// The command, told where everything is.
    pub(crate) fn clew(&self) -> Command {
        let mut command = Command::new(CLEW);
        command.envs(self.place.environment());
        command
    }

    pub(crate) fn dir(&self) -> &Path {
        self.place.dir()
    }

    /// Where the metadata is.
    pub(crate) fn location(&self) -> Location {
        self.place.location()
    }

    /// A connection to the metadata.
    pub(crate) async fn metadata(&self) -> place::Connection {
        self.place.connect().await
    }

    /// Folders with all that is kept, each with a name.
    pub(crate) fn kept(&self) -> Vec<(&'static str, PathBuf)> {
        self.place.kept()
    }

    pub(crate) fn credential(&self, name: &str) -> String {
        self.credentials[name].as_str().unwrap().to_owned()
    }

    /// Adds an instance with these nodes, the first of them the master.
    pub(crate) fn add_instance(&self, urls: &[&str]) -> Added {
        let mut command = self.clew();
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

    /// Starts serving, and waits for the address. What the processes log goes to `serve.log` beside the data.
    pub(crate) async fn serve(&self) -> Serving {
        self.serve_by(|| Command::new(CLEW)).await
    }

    /// The same with a configuration file.
    pub(crate) async fn serve_with(&self, configuration: &Path) -> Serving {
        self.serve_by(|| {
            let mut command = Command::new(CLEW);
            command.env("CLEW_CONFIG", configuration);
            command
        })
        .await
    }

    /// Starts serving by a command that takes the arguments of `clew`.
    pub(crate) async fn serve_by(&self, clew: impl Fn() -> Command) -> Serving {
        let mut processes = Started::default();
        let (endpoint, front) = place::serve(self, &clew, &mut processes).await;
        Serving { processes: std::mem::take(&mut processes.0), endpoint, _front: front }
    }

    /// Starts a process, and waits for the first line that it says.
    pub(crate) fn start(
        &self,
        mut command: Command,
        arguments: &[&str],
        dir: &Path,
        processes: &mut Started,
    ) -> String {
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("serve.log")).unwrap();
        let started = command.args(arguments).arg("--data-dir").arg(dir).envs(self.place.environment());
        let started = started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut process = started.unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        processes.0.push(process);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(stdout.lines().next()));
        match receiver.recv_timeout(Duration::from_mins(1)).unwrap_or_default() {
            Some(Ok(line)) => line,
            _ => panic!("clew {arguments:?} said nothing; its log:\n{}", self.log()),
        }
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

    /// A token of the administrator for the whole domain, from the sign-in of the page: it may change identities.
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

/// Processes that are killed if nobody takes them over.
#[derive(Default)]
pub(crate) struct Started(Vec<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}

/// SIGKILL, and waits until they are gone.
fn kill(processes: &mut [Child]) {
    for process in processes.iter_mut() {
        let _ = process.kill();
    }
    for process in processes {
        let _ = process.wait();
    }
}

impl Serving {
    /// SIGKILL to all processes at once, and waits until they are gone.
    pub(crate) fn kill(&mut self) {
        kill(&mut self.processes);
    }

    /// The most memory that one of the processes ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let peak = |process: &Child| -> u64 {
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        self.processes.iter().map(peak).max().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}
