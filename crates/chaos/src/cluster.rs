//! Test cluster with PostgreSQL, an S3 server, three Clew servers, four Clew workers and monitored nodes.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clew_client::{Client, ClientConfig, Credentials, ProjectRef, Settings};
use clew_devtools::clew_server::CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS;
use clew_store::{ResultStore, S3Settings, Store, StoreLocation};
use clew_testkit::{FaultInjectionProxy, PostgreSqlServer, S3Server, test_tools};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::process::Command;

use crate::error::{ChaosError, io_error};
use crate::nodes::{MonitoredNodes, NodeInventory, NodeKind, RegisteredNode};
use crate::process::ClewProcess;

const SERVER_COUNT: usize = 3;
const WORKER_COUNT: usize = 4;
/// Index of the only worker whose clock can be shifted during a run.
pub(crate) const CLOCK_FAULT_WORKER_INDEX: usize = 2;
/// Index of the only worker whose disk can be filled during a run.
pub(crate) const DISK_FAULT_WORKER_INDEX: usize = 3;
pub(crate) const RESULT_OBJECT_KEY_PREFIX: &str = "clew";

/// A running test cluster. Dropping the cluster stops all processes and removes their data directories.
pub(crate) struct TestCluster {
    // Rust drops fields in declaration order: Clew processes are dropped before the servers that they depend on.
    pub(crate) servers: Vec<ClewProcess>,
    pub(crate) workers: Vec<ClewProcess>,
    /// Fault-injecting proxies between the workers and PostgreSQL, one proxy per worker.
    pub(crate) metadata_proxies: Vec<FaultInjectionProxy>,
    /// Fault-injecting proxy between all Clew processes and S3.
    pub(crate) results_proxy: FaultInjectionProxy,
    pub(crate) metadata: PostgreSqlServer,
    pub(crate) results: S3Server,
    pub(crate) inventory: NodeInventory,
    addresses: Vec<String>,
    tenant: InitCommandOutput,
    _monitored: MonitoredNodes,
    directory: TempDir,
}

/// Fields that are read from the output of `clew init --format json`.
#[derive(Debug, Clone, Deserialize)]
struct InitCommandOutput {
    project_id: String,
    access_key: String,
    secret_key: String,
}

#[derive(Debug, Deserialize)]
struct AddInstanceOutput {
    instance_id: String,
    nodes: Vec<AddNodeOutput>,
}

#[derive(Debug, Deserialize)]
struct AddNodeOutput {
    id: String,
}

impl TestCluster {
    /// The kernel kills the processes of the cluster when the calling thread exits.
    pub(crate) async fn start(clew: &Path, logs: &Path) -> Result<Self, ChaosError> {
        let directory = tempfile::tempdir().map_err(io_error("create a directory"))?;
        let (metadata, results, monitored) = tokio::try_join!(
            async { Ok(PostgreSqlServer::start().await?) },
            async { Ok(S3Server::start().await?) },
            MonitoredNodes::start()
        )?;
        let results_proxy =
            FaultInjectionProxy::start(results.address()).await.map_err(io_error("start a proxy to S3"))?;
        let mut metadata_proxies = Vec::new();
        for _ in 0..WORKER_COUNT {
            let metadata = SocketAddr::from(([127, 0, 0, 1], metadata.port()));
            metadata_proxies
                .push(FaultInjectionProxy::start(metadata).await.map_err(io_error("start a proxy to PostgreSQL"))?);
        }
        let configuration = directory.path().join("clew.toml");
        fs::write(&configuration, CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS)
            .map_err(io_error("write a configuration"))?;

        let cli = ClewProcessSettings { clew, directory: directory.path(), results: results_proxy.address() };
        let init = cli.clew_process_environment(&metadata.url(), "data");
        let tenant: InitCommandOutput = cli.run_command_with_json_output(&["init", "--format", "json"], &init).await?;
        let mut inventory = NodeInventory::default();
        for (number, nodes) in monitored.nodes_by_instance()?.into_iter().enumerate() {
            inventory.add_instance(cli.add_instance(&format!("watched-{number}"), &nodes, &init).await?);
        }
        let mut cluster = Self {
            servers: Vec::new(),
            workers: Vec::new(),
            metadata_proxies,
            results_proxy,
            metadata,
            results,
            inventory,
            addresses: Vec::new(),
            tenant,
            _monitored: monitored,
            directory,
        };
        for number in 0..SERVER_COUNT {
            cluster.start_server(number, clew, logs).await?;
        }
        for number in 0..WORKER_COUNT {
            cluster.start_worker(number, clew, logs).await?;
        }
        Ok(cluster)
    }

    fn create_clew_process_settings<'a>(&'a self, clew: &'a Path) -> ClewProcessSettings<'a> {
        ClewProcessSettings { clew, directory: self.directory.path(), results: self.results_proxy.address() }
    }

    /// Starts a Clew server. The first start selects a free port, and all restarts use the same port.
    async fn start_server(&mut self, number: usize, clew: &Path, logs: &Path) -> Result<(), ChaosError> {
        let name = format!("server-{}", number + 1);
        let environment = self.create_clew_process_settings(clew).create_clew_data_dir(&self.metadata.url(), &name)?;
        let with_address = |address: &str| {
            let arguments = ["serve", "--no-worker", "--listen", address];
            ClewProcess::new(
                &name,
                build_command_with_sigkill_on_parent_exit(clew, &arguments),
                environment.clone(),
                logs,
            )
        };
        let mut first = with_address("127.0.0.1:0");
        let address = first.start().await?;
        first.kill().await?;
        let mut server = with_address(address.trim_start_matches("http://"));
        self.addresses.push(server.start().await?);
        self.servers.push(server);
        Ok(())
    }

    async fn start_worker(&mut self, number: usize, clew: &Path, logs: &Path) -> Result<(), ChaosError> {
        let name = format!("worker-{}", number + 1);
        let port = self.metadata_proxies.get(number).map_or(self.metadata.port(), |proxy| proxy.address().port());
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut environment = self.create_clew_process_settings(clew).create_clew_data_dir(&url, &name)?;
        let mut command = build_command_with_sigkill_on_parent_exit(clew, &["worker"]);
        if number == CLOCK_FAULT_WORKER_INDEX {
            command = build_faketime_worker_command(clew)?;
            fs::write(self.clock_offset_file_path(), "+0\n").map_err(io_error("write a clock"))?;
            environment.push(("FAKETIME_TIMESTAMP_FILE", self.clock_offset_file_path().into()));
            environment.push(("FAKETIME_CACHE_DURATION", "1".into()));
            // As with a real clock change, the fake clock offset does not affect the monotonic clock.
            environment.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()));
        }
        if number == DISK_FAULT_WORKER_INDEX {
            fs::create_dir_all(self.tmpfs_mount_point()).map_err(io_error("create a directory"))?;
            command = wrap_command_with_private_tmpfs(&self.tmpfs_mount_point(), command);
            environment.push(("TMPDIR", self.tmpfs_mount_point().into()));
        }
        let mut worker = ClewProcess::new(&name, command, environment, logs);
        worker.start().await?;
        self.workers.push(worker);
        Ok(())
    }

    /// Returns the path of the file from which worker [`CLOCK_FAULT_WORKER_INDEX`] reads its clock offset.
    pub(crate) fn clock_offset_file_path(&self) -> PathBuf {
        self.directory.path().join("clock")
    }

    /// Returns the mount point of the tmpfs in which worker [`DISK_FAULT_WORKER_INDEX`] stores its temporary files.
    pub(crate) fn tmpfs_mount_point(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    pub(crate) fn create_api_clients(&self, settings: &Settings) -> Result<Vec<Client>, ChaosError> {
        let clients = self.addresses.iter().map(|address| {
            let key = parse_id_from_command_output(&self.tenant.access_key)?;
            let credentials = Credentials::access_key(key, self.tenant.secret_key.clone().into());
            let project = ProjectRef::Project(parse_id_from_command_output(&self.tenant.project_id)?);
            let config = ClientConfig::new(address, credentials, project);
            Ok(Client::new(ClientConfig { settings: settings.clone(), ..config })?)
        });
        clients.collect()
    }

    /// Connects directly to PostgreSQL and S3, without the fault proxies.
    pub(crate) async fn open_store(&self) -> Result<Store, ChaosError> {
        let (key, secret) = S3Server::ADMIN_CREDENTIALS;
        let location = StoreLocation {
            data_dir: self.directory.path().join("data"),
            metadata_url: Some(self.metadata.url().parse()?),
        };
        let invalid = |reason: String| io_error("configure the result store")(std::io::Error::other(reason));
        let settings = S3Settings::new(
            &format!("s3://{}/{RESULT_OBJECT_KEY_PREFIX}", S3Server::BUCKET_NAME),
            Some(self.results.endpoint()),
            "us-east-1".to_owned(),
            key.to_owned(),
            secret.to_owned().into(),
        );
        let results = ResultStore::connect_to_object_storage(&settings.map_err(invalid)?).await?;
        Ok(Store::open(location).await?.with_result_store(results))
    }
}

struct ClewProcessSettings<'a> {
    clew: &'a Path,
    directory: &'a Path,
    results: SocketAddr,
}

impl ClewProcessSettings<'_> {
    fn clew_process_environment(&self, metadata: &str, dir: &str) -> Vec<(&'static str, OsString)> {
        let (key, secret) = S3Server::ADMIN_CREDENTIALS;
        vec![
            ("CLEW_DATA_DIR", self.directory.join(dir).into()),
            ("CLEW_METADATA_URL", metadata.into()),
            ("CLEW_RESULTS", format!("s3://{}/{RESULT_OBJECT_KEY_PREFIX}", S3Server::BUCKET_NAME).into()),
            ("CLEW_CONFIG", self.directory.join("clew.toml").into()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.results).into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", key.into()),
            ("AWS_SECRET_ACCESS_KEY", secret.into()),
        ]
    }

    /// Creates a data directory that contains only the master key.
    /// Returns the environment variables that make a Clew process use the data directory.
    fn create_clew_data_dir(&self, metadata: &str, name: &str) -> Result<Vec<(&'static str, OsString)>, ChaosError> {
        let dir = self.directory.join(name);
        let copied = fs::create_dir_all(&dir)
            .and_then(|()| fs::copy(self.directory.join("data").join("master.key"), dir.join("master.key")));
        copied.map_err(io_error("copy the master key"))?;
        Ok(self.clew_process_environment(metadata, name))
    }

    async fn run_command_with_json_output<T: DeserializeOwned>(
        &self,
        arguments: &[&str],
        environment: &[(&'static str, OsString)],
    ) -> Result<T, ChaosError> {
        let mut command = Command::new(self.clew);
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        // Unset `CLEW_CONFIG`, because `init` and `instance add` accept fewer settings than servers and workers.
        command.env_remove("CLEW_CONFIG").env("CLEW_DB_PASSWORD", "");
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(io_error("start clew"))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            io_error("register the nodes")(std::io::Error::other(stderr))
        })
    }

    async fn add_instance(
        &self,
        name: &str,
        nodes: &[(String, NodeKind)],
        environment: &[(&'static str, OsString)],
    ) -> Result<Vec<RegisteredNode>, ChaosError> {
        let mut arguments = vec!["instance", "add", "--name", name, "--format", "json"];
        arguments.extend(nodes.iter().flat_map(|(url, _)| ["--node", url.as_str()]));
        let added: AddInstanceOutput = self.run_command_with_json_output(&arguments, environment).await?;
        let ids = added.nodes.iter().zip(nodes);
        let to_node = |(added_node, (_, kind)): (&AddNodeOutput, &(String, NodeKind))| {
            let (instance, id) =
                (parse_id_from_command_output(&added.instance_id)?, parse_id_from_command_output(&added_node.id)?);
            Ok(RegisteredNode { kind: *kind, instance, id })
        };
        ids.map(to_node).collect()
    }
}

/// Wraps a command so that the kernel kills the process when the thread that spawned it exits.
fn build_command_with_sigkill_on_parent_exit(clew: &Path, arguments: &[&str]) -> Vec<OsString> {
    let mut command: Vec<OsString> = ["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from).into();
    command.push(clew.into());
    command.extend(arguments.iter().map(OsString::from));
    command
}

/// Wraps a command so that it runs in its own mount namespace with a small tmpfs mounted at `disk`.
/// The kernel removes the tmpfs when the process exits.
fn wrap_command_with_private_tmpfs(disk: &Path, command: Vec<OsString>) -> Vec<OsString> {
    const TMPFS_MOUNT_SCRIPT: &str = "mount -t tmpfs -o size=64m clew-chaos \"$0\" && exec \"$@\"";
    let mut wrapped: Vec<OsString> =
        ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", TMPFS_MOUNT_SCRIPT]
            .map(OsString::from)
            .into();
    wrapped.push(disk.into());
    wrapped.extend(command);
    wrapped
}

/// Returns the command for a worker that runs under libfaketime, which reads the clock offset from a file.
/// The worker gets a private `/dev/shm`, because libfaketime leaks shared memory when the process is killed.
fn build_faketime_worker_command(clew: &Path) -> Result<Vec<OsString>, ChaosError> {
    let missing = || io_error("find libfaketime (Debian package faketime)")(std::io::ErrorKind::NotFound.into());
    let mut preload = OsString::from("LD_PRELOAD=");
    preload.push(test_tools::libfaketime_path().ok_or_else(missing)?);
    let mut command = build_command_with_sigkill_on_parent_exit(Path::new("env"), &[]);
    command.extend([preload, clew.into(), "worker".into()]);
    Ok(wrap_command_with_private_tmpfs(Path::new("/dev/shm"), command))
}

fn parse_id_from_command_output<T: std::str::FromStr>(id: &str) -> Result<T, ChaosError> {
    id.parse().map_err(|_| io_error("parse the output of clew")(std::io::Error::other(id.to_owned())))
}
