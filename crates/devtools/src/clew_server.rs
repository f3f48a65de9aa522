//! Runs `clew serve` and `clew worker` with temporary data and credentials.

use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clew_testkit::S3Server;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Child;

use crate::command::Command;
use crate::error::DevtoolsError;
use crate::processes;

/// Configuration that disables per-client rate and connection limits, because all load generators have the same IP address.
pub const CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS: &str = "[limits]
principal_per_second = 0
peer_per_second = 0
streams_per_principal = 0
long_polls_per_principal = 0
[http]
connections_per_peer = 0
";

/// Prefix of the object keys under which Clew stores results on an [`S3Server`].
pub const RESULT_OBJECT_KEY_PREFIX: &str = "clew";

/// Temporary data directory, initialized with `clew init`. Dropping the value removes the directory.
#[derive(Debug)]
pub struct TemporaryDeployment {
    clew: PathBuf,
    directory: TempDir,
    variables: Vec<(&'static str, String)>,
    /// Credentials of the administrator.
    pub credentials: Credentials,
}

/// Parsed output of `clew init --format json`.
#[derive(Debug, Deserialize)]
pub struct Credentials {
    /// Region of the endpoint.
    pub region: String,
    /// Project of the access key.
    pub project_id: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Name of the initial domain.
    pub domain_name: String,
    /// Name of the administrator.
    pub user: String,
    /// Password of the administrator.
    pub password: String,
}

/// Parsed output of `clew key create --format json`.
#[derive(Debug, Deserialize)]
pub struct AccessKey {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
}

/// Parsed output of `clew instance add --format json`.
#[derive(Debug, Deserialize)]
pub struct RegisteredInstance {
    #[serde(rename = "instance_id")]
    /// Id of the instance.
    pub id: String,
    /// Nodes of the instance, in the order of the URLs passed to [`TemporaryDeployment::add_instance`].
    pub nodes: Vec<RegisteredNode>,
}

/// Node in the output of `clew instance add --format json`.
#[derive(Debug, Deserialize)]
pub struct RegisteredNode {
    /// Id of the node.
    pub id: String,
}

/// Running `clew serve` or `clew worker` process. Dropping the value kills the process.
#[derive(Debug)]
pub struct ClewProcess {
    process: Child,
    endpoint: String,
}

impl TemporaryDeployment {
    /// Creates a temporary directory and runs `clew init` in it.
    /// `variables` contains environment variables for every `clew` process, such as the URL of the metadata database.
    pub async fn init(clew: &Path, variables: Vec<(&'static str, String)>) -> Result<Self, DevtoolsError> {
        let directory = create_temporary_directory("clew-xtask-")?;
        let init = clew_command(clew, &variables)
            .args(["init", "--format", "json", "--data-dir"])
            .args([directory.path().join("data")]);
        let credentials = init.parse_json_output(&init.output().await?)?;
        Ok(Self { clew: clew.to_owned(), directory, variables, credentials })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        clew_command(&self.clew, &self.variables)
            .args(arguments.iter().copied())
            .args(["--data-dir"])
            .args([self.data_dir()])
    }

    /// Adds an instance with one node per URL in `urls`. The first URL identifies the master node.
    pub async fn add_instance(
        &self,
        name: &str,
        urls: &[String],
        password: &str,
    ) -> Result<RegisteredInstance, DevtoolsError> {
        let add = self
            .command(&["instance", "add", "--name", name, "--format", "json"])
            .args(urls.iter().flat_map(|url| ["--node", url.as_str()]))
            .env("CLEW_DB_PASSWORD", password);
        let output = add.output().await?;
        let added: RegisteredInstance = add.parse_json_output(&output)?;
        if added.nodes.len() == urls.len() {
            Ok(added)
        } else {
            let cause = "the number of nodes differs from the number of URLs";
            Err(DevtoolsError::unexpected_output_error(add.command_line(), cause, output))
        }
    }

    /// Creates a user, attaches a policy to the user, and returns an access key for the user.
    pub async fn create_user_with_access_key(&self, policy: &str) -> Result<AccessKey, DevtoolsError> {
        const READ_ONLY_USER_NAME: &str = "reader";
        self.command(&["user", "create", READ_ONLY_USER_NAME]).output().await?;
        self.command(&["policy", "attach", policy, "--user", READ_ONLY_USER_NAME]).output().await?;
        let create = self.command(&["key", "create", READ_ONLY_USER_NAME, "--format", "json"]);
        create.parse_json_output(&create.output().await?)
    }

    /// Starts `clew serve` on a free port with additional command-line arguments and a TOML configuration.
    pub async fn start_server(&self, arguments: &[&str], configuration: &str) -> Result<ClewProcess, DevtoolsError> {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        self.start_process("serve", &arguments, configuration, "http://").await
    }

    /// Starts `clew worker` with a TOML configuration.
    /// `name` identifies the worker in calls to [`TemporaryDeployment::read_process_log`].
    pub async fn start_worker(&self, name: &str, configuration: &str) -> Result<ClewProcess, DevtoolsError> {
        self.start_process(name, &["worker"], configuration, "working").await
    }

    /// Returns an error if the first output line does not start with `expected_prefix`.
    async fn start_process(
        &self,
        name: &str,
        arguments: &[&str],
        configuration: &str,
        expected_prefix: &str,
    ) -> Result<ClewProcess, DevtoolsError> {
        let path = |kind: &str| self.directory.path().join(format!("{name}.{kind}"));
        let (config, log) = (path("toml"), path("log"));
        std::fs::write(&config, configuration).map_err(DevtoolsError::file_error("write", &config))?;
        let file = File::create(&log).map_err(DevtoolsError::file_error("create", &log))?;
        let start = self.command(arguments).args(["--config"]).args([config]);
        let mut process = start.start(file)?;
        match processes::read_first_output_line(&mut process).await {
            Some(endpoint) if endpoint.starts_with(expected_prefix) => Ok(ClewProcess { process, endpoint }),
            first_line => {
                let cause = format!("its first line is {first_line:?}");
                Err(DevtoolsError::unexpected_output_error(start.command_line(), cause, self.read_process_log(name)))
            }
        }
    }

    /// Returns the log that `clew serve` has written since its last start.
    #[must_use]
    pub fn read_server_log(&self) -> String {
        self.read_process_log("serve")
    }

    /// Returns the log that the process `name` has written since its last start.
    #[must_use]
    pub fn read_process_log(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Returns the temporary directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the data directory of Clew.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns the environment variables that configure `clew` client commands to connect to `process`.
    pub fn client_environment_variables(&self, process: &ClewProcess) -> [(&'static str, String); 6] {
        [
            ("CLEW_ENDPOINT", process.endpoint.clone()),
            ("CLEW_IAM_ENDPOINT", process.endpoint.clone()),
            ("CLEW_REGION", self.credentials.region.clone()),
            ("CLEW_PROJECT_ID", self.credentials.project_id.clone()),
            ("CLEW_ACCESS_KEY", self.credentials.access_key.clone()),
            ("CLEW_SECRET_KEY", self.credentials.secret_key.clone()),
        ]
    }

    /// Returns a `clew` client command that connects to `process`.
    pub fn client_command(&self, process: &ClewProcess, arguments: &[&str]) -> Command {
        let variables = self.client_environment_variables(process);
        Command::new(&self.clew).args(arguments.iter().copied()).envs(variables)
    }
}

/// Unsets `CLEW_CONFIG`, because commands such as `init` accept fewer settings than servers and workers.
fn clew_command(clew: &Path, variables: &[(&'static str, String)]) -> Command {
    Command::new(clew).env_remove("CLEW_CONFIG").envs(variables.iter().map(|(name, value)| (name, value)))
}

/// Creates a temporary directory whose name starts with `prefix`.
pub fn create_temporary_directory(prefix: &str) -> Result<TempDir, DevtoolsError> {
    let created = tempfile::Builder::new().prefix(prefix).tempdir();
    created.map_err(DevtoolsError::file_error("create a directory in", std::env::temp_dir()))
}

/// Parses an id from the output of a `clew` command.
pub fn parse_id<T: FromStr<Err: Display>>(id: &str) -> Result<T, DevtoolsError> {
    id.parse().map_err(|cause| DevtoolsError::unexpected_output_error("clew", cause, id))
}

/// Returns environment variables that make Clew store its metadata in PostgreSQL and its results on an [`S3Server`].
#[must_use]
pub fn storage_environment_variables(metadata_url: String, s3_endpoint: String) -> Vec<(&'static str, String)> {
    let (key, secret) = S3Server::ADMIN_CREDENTIALS;
    vec![
        ("CLEW_METADATA_URL", metadata_url),
        ("CLEW_RESULTS", format!("s3://{}/{RESULT_OBJECT_KEY_PREFIX}", S3Server::BUCKET_NAME)),
        ("AWS_ENDPOINT_URL", s3_endpoint),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", key.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
    ]
}

impl ClewProcess {
    /// Returns the URL of `clew serve`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the process id, or `None` if the process has exited.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Sends SIGTERM and waits until the process exits.
    pub async fn stop(mut self) -> Result<(), DevtoolsError> {
        processes::stop_gracefully(&mut self.process).await
    }
}
