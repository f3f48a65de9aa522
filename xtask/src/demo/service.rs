//! A `clew serve` of the demo's own: data folder, address and credentials.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::stuck::READER_PASSWORD;
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::Step;

/// Time for the service to come up, and to stop.
const LIMIT: Duration = Duration::from_secs(30);

/// The service. Dropped, it ends at once and its folder goes.
#[derive(Debug)]
pub(super) struct Service {
    clew: PathBuf,
    process: Child,
    endpoint: String,
    credentials: Credentials,
    folder: TempDir,
}

/// What `clew init --format json` prints, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Credentials {
    region: String,
    project_id: String,
    access_key: String,
    secret_key: String,
}

/// What `clew instance add --format json` prints.
#[derive(Debug, Deserialize)]
struct Added {
    instance_id: String,
    nodes: Vec<AddedNode>,
}

#[derive(Debug, Deserialize)]
struct AddedNode {
    id: String,
}

impl Service {
    /// `clew init`, then `clew serve` on a free port.
    pub(super) async fn start(clew: &Path) -> Result<Self, XtaskError> {
        let folder = tempfile::Builder::new().prefix("clew-demo-").tempdir().map_err(|cause| XtaskError::File {
            doing: "make a folder in",
            path: std::env::temp_dir(),
            cause,
        })?;
        let data_dir = folder.path().join("data");

        let step = Step::start("clew init");
        let init = Command::new(clew).args(["init", "--format", "json", "--data-dir"]).args([&data_dir]);
        let credentials = init.answer_as(&init.answer().await?)?;
        step.done_with("a first tenant and its access key");

        let step = Step::start("clew serve");
        let serve = Command::new(clew).args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).args([&data_dir]);
        let log = folder.path().join("serve.log");
        let file =
            File::create(&log).map_err(|cause| XtaskError::File { doing: "create", path: log.clone(), cause })?;
        let mut process = serve.start(file)?;
        let endpoint = match first_line(&mut process).await {
            Some(line) if line.starts_with("http://") => line,
            said => {
                let logged = std::fs::read_to_string(&log).unwrap_or_default();
                let cause = format!("no address but {said:?}");
                return Err(XtaskError::Answer { command: serve.shown(), cause, answer: logged });
            }
        };
        step.done_with(&endpoint);
        Ok(Self { clew: clew.to_owned(), process, endpoint, credentials, folder })
    }

    /// Adds the server at `url`; the instance's id and its node's.
    pub(super) async fn add_instance(&self, url: &str) -> Result<(String, String), XtaskError> {
        let step = Step::start("clew instance add");
        let add = Command::new(&self.clew)
            .args(["instance", "add", "--name", "demo", "--node", url, "--format", "json", "--data-dir"])
            .args([self.data_dir()])
            .env("CLEW_DB_PASSWORD", READER_PASSWORD);
        let answer = add.answer().await?;
        let added: Added = add.answer_as(&answer)?;
        let Some(node) = added.nodes.into_iter().next() else {
            return Err(XtaskError::Answer { command: add.shown(), cause: "it names no node".to_owned(), answer });
        };
        step.done_with(&format!("instance {}", added.instance_id));
        Ok((added.instance_id, node.id))
    }

    /// A command line of the client of this service, with its settings.
    pub(super) fn client(&self, arguments: &[&str]) -> Command {
        let client = Command::new(&self.clew).args(arguments.iter().copied());
        self.settings().into_iter().fold(client, |client, (name, value)| client.env(name, value))
    }

    /// What a shell needs to use this service.
    fn settings(&self) -> [(&'static str, String); 8] {
        [
            ("CLEW_ENDPOINT", self.endpoint.clone()),
            ("CLEW_IAM_ENDPOINT", self.endpoint.clone()),
            ("CLEW_REGION", self.credentials.region.clone()),
            ("CLEW_PROJECT_ID", self.credentials.project_id.clone()),
            ("CLEW_ACCESS_KEY", self.credentials.access_key.clone()),
            ("CLEW_SECRET_KEY", self.credentials.secret_key.clone()),
            ("CLEW_DATA_DIR", self.data_dir().display().to_string()),
            ("CLEW_DB_PASSWORD", READER_PASSWORD.to_owned()),
        ]
    }

    /// Writes the settings as lines for a shell, for this user's eyes only.
    pub(super) fn write_settings(&self) -> Result<PathBuf, XtaskError> {
        let path = self.folder.path().join("env");
        let lines = self.settings().map(|(name, value)| format!("export {name}='{value}'\n")).concat();
        let opened = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        opened.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(|cause| XtaskError::File {
            doing: "write",
            path: path.clone(),
            cause,
        })?;
        Ok(path)
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Asks it to stop in order, and waits for it.
    pub(super) async fn stop(mut self) -> Result<(), XtaskError> {
        if let Some(pid) = self.process.id() {
            Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()]).run().await?;
        }
        match tokio::time::timeout(LIMIT, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(XtaskError::Failed { command: "clew serve".to_owned(), status }),
            Ok(Err(cause)) => Err(XtaskError::Start { command: "clew serve".to_owned(), cause }),
            Err(_) => Err(XtaskError::TooLong {
                command: "clew serve".to_owned(),
                limit: LIMIT,
                output: "stopping".to_owned(),
            }),
        }
    }
}

async fn first_line(process: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(process.stdout.take()?).lines();
    tokio::time::timeout(LIMIT, lines.next_line()).await.ok()?.ok()?
}
