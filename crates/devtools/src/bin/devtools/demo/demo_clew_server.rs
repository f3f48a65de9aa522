//! Starts and stops the `clew serve` process of the demo.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clew_devtools::DevtoolsError;
use clew_devtools::clew_server::{ClewProcess, Credentials, TemporaryDeployment};
use clew_devtools::command::Command;
use clew_devtools::progress::Step;

use super::blocked_sessions::DEMO_DB_PASSWORD;

/// Dropping the value kills the `clew serve` process and removes its data directory.
#[derive(Debug)]
pub(super) struct DemoClewServer {
    process: ClewProcess,
    deployment: TemporaryDeployment,
}

impl DemoClewServer {
    pub(super) async fn start(clew: &Path) -> Result<Self, DevtoolsError> {
        let step = Step::start("clew init");
        let deployment = TemporaryDeployment::init(clew).await?;
        step.complete_with_result("initial tenant with an access key");

        let step = Step::start("clew serve");
        let process = deployment.start_server("").await?;
        step.complete_with_result(process.endpoint());
        Ok(Self { process, deployment })
    }

    /// Registers the database server at `url` and returns the instance id and the node id.
    pub(super) async fn add_instance(&self, url: &str) -> Result<(String, String), DevtoolsError> {
        let step = Step::start("clew instance add");
        let instance = self.deployment.add_instance("demo", &[url.to_owned()], DEMO_DB_PASSWORD).await?;
        step.complete_with_result(&format!("instance {}", instance.id));
        let node = instance.nodes.into_iter().next().map(|node| node.id).unwrap_or_default();
        Ok((instance.id, node))
    }

    pub(super) fn client_command(&self, arguments: &[&str]) -> Command {
        self.deployment.client_command(&self.process, arguments)
    }

    /// Writes a shell script that exports the environment variables for `clew` client commands.
    /// The script has mode 0600, because it contains passwords and keys.
    pub(super) fn write_environment_file(&self) -> Result<PathBuf, DevtoolsError> {
        let path = self.deployment.directory().join("env");
        let own = [
            ("CLEW_DATA_DIR", self.deployment.data_dir().display().to_string()),
            ("CLEW_DB_PASSWORD", DEMO_DB_PASSWORD.to_owned()),
        ];
        let settings = self.deployment.client_environment_variables(&self.process).into_iter().chain(own);
        let lines: Vec<String> = settings.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        let lines = lines.concat();
        let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(lines.as_bytes())).map_err(|cause| DevtoolsError::File {
            operation: "write",
            path: path.clone(),
            cause,
        })?;
        Ok(path)
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.deployment.credentials
    }

    pub(super) fn endpoint(&self) -> &str {
        self.process.endpoint()
    }

    pub(super) async fn stop(self) -> Result<(), DevtoolsError> {
        self.process.stop().await
    }
}
