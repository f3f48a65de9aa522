//! The `clew serve` of the demo.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::blocked_sessions::READER_PASSWORD;
use crate::clew_server::{ClewProcess, Credentials, Deployment};
use crate::command::Command;
use crate::error::XtaskError;
use crate::progress::Step;

/// A running Clew server. Dropping it kills the process and removes the data directory.
#[derive(Debug)]
pub(super) struct Service {
    process: ClewProcess,
    deployment: Deployment,
}

impl Service {
    /// Runs `clew init`, then starts `clew serve`.
    pub(super) async fn start(clew: &Path) -> Result<Self, XtaskError> {
        let step = Step::start("clew init");
        let deployment = Deployment::init(clew).await?;
        step.done_with("initial tenant with an access key");

        let step = Step::start("clew serve");
        let process = deployment.start_server("").await?;
        step.done_with(process.endpoint());
        Ok(Self { process, deployment })
    }

    /// Adds the database server at `url`, and returns the ids of the instance and the node.
    pub(super) async fn add_instance(&self, url: &str) -> Result<(String, String), XtaskError> {
        let step = Step::start("clew instance add");
        let instance = self.deployment.add_instance("demo", &[url.to_owned()], READER_PASSWORD).await?;
        step.done_with(&format!("instance {}", instance.id));
        let node = instance.nodes.into_iter().next().map(|node| node.id).unwrap_or_default();
        Ok((instance.id, node))
    }

    /// Returns a `clew` client command with the settings of this server.
    pub(super) fn client(&self, arguments: &[&str]) -> Command {
        self.deployment.client(&self.process, arguments)
    }

    /// Writes a shell file that exports the client's environment variables. Only its owner can read the file.
    pub(super) fn write_settings(&self) -> Result<PathBuf, XtaskError> {
        let path = self.deployment.directory().join("env");
        let own = [
            ("CLEW_DATA_DIR", self.deployment.data_dir().display().to_string()),
            ("CLEW_DB_PASSWORD", READER_PASSWORD.to_owned()),
        ];
        let settings = self.deployment.settings(&self.process).into_iter().chain(own);
        let lines: Vec<String> = settings.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        let lines = lines.concat();
        let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(|cause| XtaskError::File {
            operation: "write",
            path: path.clone(),
            cause,
        })?;
        Ok(path)
    }

    /// Returns the administrator's credentials. `--keep` prints them, because the server is temporary.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.deployment.credentials
    }

    pub(super) fn endpoint(&self) -> &str {
        self.process.endpoint()
    }

    /// Requests a graceful shutdown and waits for it.
    pub(super) async fn stop(self) -> Result<(), XtaskError> {
        self.process.stop().await
    }
}
