//! A `clew serve` of a task's own: data folder, address and credentials.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::command::Command;
use crate::error::XtaskError;
use crate::processes;

/// Time for the service to come up, and to stop.
const LIMIT: Duration = Duration::from_secs(30);

/// A data directory with its first tenant. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Home {
    clew: PathBuf,
    folder: TempDir,
    /// Where metadata and results are, if not in the folder.
    variables: Vec<(&'static str, String)>,
    pub(crate) credentials: Credentials,
}

/// What `clew init --format json` prints, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) region: String,
    pub(crate) project_id: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) domain_name: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What `clew key create --format json` prints, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(crate) struct Key {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// What `clew instance add --format json` prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Instance {
    #[serde(rename = "instance_id")]
    pub(crate) id: String,
    pub(crate) nodes: Vec<Node>,
}

/// A node of an instance.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
}

/// A running `clew serve`. Dropped, it ends at once.
#[derive(Debug)]
pub(crate) struct Serving {
    process: Child,
    endpoint: String,
}

impl Home {
    /// `clew init` in a new folder.
    pub(crate) async fn init(clew: &Path) -> Result<Self, XtaskError> {
        Self::init_with(clew, Vec::new()).await
    }

    /// The same with variables that say where metadata and results are.
    pub(crate) async fn init_with(clew: &Path, variables: Vec<(&'static str, String)>) -> Result<Self, XtaskError> {
        let folder = tempfile::Builder::new().prefix("clew-xtask-").tempdir().map_err(|cause| XtaskError::File {
            doing: "make a folder in",
            path: std::env::temp_dir(),
            cause,
        })?;
        let init = command(clew, &variables)
            .args(["init", "--format", "json", "--data-dir"])
            .args([folder.path().join("data")]);
        let credentials = init.answer_as(&init.answer().await?)?;
        Ok(Self { clew: clew.to_owned(), folder, variables, credentials })
    }

    /// Adds an instance with these nodes, the first of them the master.
    pub(crate) async fn add_instance(
        &self,
        name: &str,
        urls: &[String],
        password: &str,
    ) -> Result<Instance, XtaskError> {
        let nodes = urls.iter().flat_map(|url| ["--node", url.as_str()]);
        let add = command(&self.clew, &self.variables)
            .args(["instance", "add", "--name", name, "--format", "json", "--data-dir"])
            .args([self.data_dir()])
            .args(nodes)
            .env("CLEW_DB_PASSWORD", password);
        let answer = add.answer().await?;
        let added: Instance = add.answer_as(&answer)?;
        if added.nodes.len() == urls.len() {
            Ok(added)
        } else {
            Err(XtaskError::Answer { command: add.shown(), cause: "it does not name every node".to_owned(), answer })
        }
    }

    /// A key of a new user, who is no administrator and may do what a policy allows.
    pub(crate) async fn key_of_user_with(&self, policy: &str) -> Result<Key, XtaskError> {
        const USER: &str = "reader";
        let clew = |arguments: &[&str]| {
            Command::new(&self.clew).args(arguments.iter().copied()).args(["--data-dir"]).args([self.data_dir()])
        };
        clew(&["user", "create", USER]).answer().await?;
        clew(&["policy", "attach", policy, "--user", USER]).answer().await?;
        let create = clew(&["key", "create", USER, "--format", "json"]);
        create.answer_as(&create.answer().await?)
    }

    /// `clew serve` on a free port, configured by a TOML text.
    pub(crate) async fn serve(&self, configuration: &str) -> Result<Serving, XtaskError> {
        self.serve_with(&[], configuration).await
    }

    /// The same with more arguments.
    pub(crate) async fn serve_with(&self, arguments: &[&str], configuration: &str) -> Result<Serving, XtaskError> {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let (process, endpoint) = self.start("serve", &arguments, configuration, "http://").await?;
        Ok(Serving { process, endpoint })
    }

    /// `clew worker`, configured by a TOML text. What it logs is told by [`Home::log_of`] its name.
    pub(crate) async fn work(&self, name: &str, configuration: &str) -> Result<Serving, XtaskError> {
        let (process, endpoint) = self.start(name, &["worker"], configuration, "working").await?;
        Ok(Serving { process, endpoint })
    }

    /// A process that stays, and the first line that it says, which begins so.
    async fn start(
        &self,
        name: &str,
        arguments: &[&str],
        configuration: &str,
        begins: &str,
    ) -> Result<(Child, String), XtaskError> {
        let path = |kind: &str| self.folder.path().join(format!("{name}.{kind}"));
        let failed = |doing, path| move |cause| XtaskError::File { doing, path, cause };
        let (config, log) = (path("toml"), path("log"));
        std::fs::write(&config, configuration).map_err(failed("write", config.clone()))?;
        let file = File::create(&log).map_err(failed("create", log.clone()))?;
        let start = command(&self.clew, &self.variables)
            .args(arguments.iter().copied())
            .args(["--data-dir"])
            .args([self.data_dir()])
            .args(["--config"])
            .args([config]);
        let mut process = start.start(file)?;
        match first_line(&mut process).await {
            Some(line) if line.starts_with(begins) => Ok((process, line)),
            said => Err(XtaskError::Answer {
                command: start.shown(),
                cause: format!("it said {said:?}"),
                answer: self.log_of(name),
            }),
        }
    }

    /// What the service has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        self.log_of("serve")
    }

    /// The same of a worker.
    pub(crate) fn log_of(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What a client needs to use this home's service.
    pub(crate) fn settings(&self, serving: &Serving) -> [(&'static str, String); 6] {
        [
            ("CLEW_ENDPOINT", serving.endpoint.clone()),
            ("CLEW_IAM_ENDPOINT", serving.endpoint.clone()),
            ("CLEW_REGION", self.credentials.region.clone()),
            ("CLEW_PROJECT_ID", self.credentials.project_id.clone()),
            ("CLEW_ACCESS_KEY", self.credentials.access_key.clone()),
            ("CLEW_SECRET_KEY", self.credentials.secret_key.clone()),
        ]
    }

    /// A command line of the client of the service, with its settings.
    pub(crate) fn client(&self, serving: &Serving, arguments: &[&str]) -> Command {
        let client = Command::new(&self.clew).args(arguments.iter().copied());
        self.settings(serving).into_iter().fold(client, |client, (name, value)| client.env(name, value))
    }
}

/// A command of `clew` with these variables.
fn command(clew: &Path, variables: &[(&'static str, String)]) -> Command {
    variables.iter().fold(Command::new(clew), |command, (name, value)| command.env(*name, value))
}

impl Serving {
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its process, as long as it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Asks it to stop in order, and waits for it.
    pub(crate) async fn stop(mut self) -> Result<(), XtaskError> {
        const NAME: &str = "clew";
        processes::ask_to_end(&self.process);
        match tokio::time::timeout(LIMIT, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(XtaskError::Failed { command: NAME.to_owned(), status }),
            Ok(Err(cause)) => Err(XtaskError::Start { command: NAME.to_owned(), cause }),
            Err(_) => {
                Err(XtaskError::TooLong { command: NAME.to_owned(), limit: LIMIT, output: "stopping".to_owned() })
            }
        }
    }
}

async fn first_line(process: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(process.stdout.take()?).lines();
    tokio::time::timeout(LIMIT, lines.next_line()).await.ok()?.ok()?
}
