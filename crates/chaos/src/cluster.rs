//! Test cluster with PostgreSQL, an S3 server, three Clew servers, four Clew workers and monitored nodes.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clew_client::{Client, ClientConfig, Credentials, ProjectRef, Settings};
use clew_devtools::DevtoolsError;
use clew_devtools::clew_server::{
    CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS, RESULT_OBJECT_KEY_PREFIX, TemporaryDeployment, parse_id,
    storage_environment_variables,
};
use clew_devtools::command::Command;
use clew_store::{ResultStore, S3Settings, Store, StoreLocation};
use clew_testkit::{FaultInjectionProxy, PostgreSqlServer, S3Server, test_tools};

use crate::error::{ChaosError, operation_error};
use crate::nodes::{MonitoredNodes, NodeInventory, NodeKind, RegisteredNode};
use crate::process::ClewProcess;

const SERVER_COUNT: usize = 3;
const WORKER_COUNT: usize = 4;
pub(crate) const CLOCK_FAULT_WORKER_INDEX: usize = 2;
pub(crate) const DISK_FAULT_WORKER_INDEX: usize = 3;

pub(crate) struct TestCluster {
    // Rust drops fields in declaration order: Clew processes are dropped before the servers that they depend on.
    pub(crate) servers: Vec<ClewProcess>,
    pub(crate) workers: Vec<ClewProcess>,
    /// One proxy per worker.
    pub(crate) postgresql_proxies: Vec<FaultInjectionProxy>,
    pub(crate) s3_proxy: FaultInjectionProxy,
    pub(crate) postgresql: PostgreSqlServer,
    pub(crate) s3: S3Server,
    pub(crate) inventory: NodeInventory,
    addresses: Vec<String>,
    _monitored: MonitoredNodes,
    deployment: TemporaryDeployment,
}

impl TestCluster {
    /// The kernel kills the processes of the cluster when the calling thread exits.
    pub(crate) async fn start(clew: &Path, logs: &Path) -> Result<Self, ChaosError> {
        let (postgresql, s3, monitored) = tokio::try_join!(
            async { Ok(PostgreSqlServer::start().await?) },
            async { Ok(S3Server::start().await?) },
            MonitoredNodes::start()
        )?;
        let s3_proxy =
            FaultInjectionProxy::start(s3.address()).await.map_err(operation_error("start a proxy to S3"))?;
        let mut postgresql_proxies = Vec::new();
        for _ in 0..WORKER_COUNT {
            let address = SocketAddr::from(([127, 0, 0, 1], postgresql.port()));
            postgresql_proxies.push(
                FaultInjectionProxy::start(address).await.map_err(operation_error("start a proxy to PostgreSQL"))?,
            );
        }
        let storage = storage_environment_variables(postgresql.url(), format!("http://{}", s3_proxy.address()));
        let deployment = TemporaryDeployment::init(clew, storage).await?;
        fs::write(deployment.directory().join("clew.toml"), CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS)
            .map_err(operation_error("write a configuration"))?;
        let mut inventory = NodeInventory::default();
        for (number, nodes) in monitored.nodes_by_instance()?.into_iter().enumerate() {
            let (urls, kinds): (Vec<String>, Vec<NodeKind>) = nodes.into_iter().unzip();
            let added = deployment.add_instance(&format!("watched-{number}"), &urls, "").await?;
            let nodes = added.nodes.iter().zip(kinds).map(|(node, kind)| {
                Ok(RegisteredNode { kind, instance: parse_id(&added.id)?, id: parse_id(&node.id)? })
            });
            inventory.add_instance(nodes.collect::<Result<_, DevtoolsError>>()?);
        }
        let mut cluster = Self {
            servers: Vec::new(),
            workers: Vec::new(),
            postgresql_proxies,
            s3_proxy,
            postgresql,
            s3,
            inventory,
            addresses: Vec::new(),
            _monitored: monitored,
            deployment,
        };
        for number in 0..SERVER_COUNT {
            cluster.start_server(number, clew, logs).await?;
        }
        for number in 0..WORKER_COUNT {
            cluster.start_worker(number, clew, logs).await?;
        }
        Ok(cluster)
    }

    fn with_own_data_dir(&self, command: Command, metadata_url: String, name: &str) -> Result<Command, ChaosError> {
        let dir = self.deployment.directory().join(name);
        let copied = fs::create_dir_all(&dir)
            .and_then(|()| fs::copy(self.deployment.data_dir().join("master.key"), dir.join("master.key")));
        copied.map_err(operation_error("copy the master key"))?;
        let storage = storage_environment_variables(metadata_url, format!("http://{}", self.s3_proxy.address()));
        let config = self.deployment.directory().join("clew.toml");
        Ok(command.envs(storage).env("CLEW_CONFIG", config).env("CLEW_DATA_DIR", dir))
    }

    async fn start_server(&mut self, number: usize, clew: &Path, logs: &Path) -> Result<(), ChaosError> {
        let name = format!("server-{}", number + 1);
        let serve = wrap_command_with_parent_death_signal(clew, &["serve", "--no-worker", "--listen"]);
        let serve = self.with_own_data_dir(serve, self.postgresql.url(), &name)?;
        let with_address = |address: &str| ClewProcess::new(&name, serve.clone().args([address]), logs);
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
        let port = self.postgresql_proxies.get(number).map_or(self.postgresql.port(), |proxy| proxy.address().port());
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut command = if number == CLOCK_FAULT_WORKER_INDEX {
            fs::write(self.clock_offset_file_path(), "+0\n").map_err(operation_error("write a clock"))?;
            build_faketime_worker_command(clew)?
                .env("FAKETIME_TIMESTAMP_FILE", self.clock_offset_file_path())
                .env("FAKETIME_CACHE_DURATION", "1")
                // As with a real clock change, the fake clock offset does not affect the monotonic clock.
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        } else {
            wrap_command_with_parent_death_signal(clew, &["worker"])
        };
        if number == DISK_FAULT_WORKER_INDEX {
            fs::create_dir_all(self.tmpfs_mount_point()).map_err(operation_error("create a directory"))?;
            command = wrap_command_with_private_tmpfs(&self.tmpfs_mount_point(), command);
            command = command.env("TMPDIR", self.tmpfs_mount_point());
        }
        let mut worker = ClewProcess::new(&name, self.with_own_data_dir(command, url, &name)?, logs);
        worker.start().await?;
        self.workers.push(worker);
        Ok(())
    }

    pub(crate) fn clock_offset_file_path(&self) -> PathBuf {
        self.deployment.directory().join("clock")
    }

    pub(crate) fn tmpfs_mount_point(&self) -> PathBuf {
        self.deployment.directory().join("disk")
    }

    pub(crate) fn create_api_clients(&self, settings: &Settings) -> Result<Vec<Client>, ChaosError> {
        let clients = self.addresses.iter().map(|address| {
            let administrator = &self.deployment.credentials;
            let key = parse_id(&administrator.access_key)?;
            let credentials = Credentials::access_key(key, administrator.secret_key.clone().into());
            let project = ProjectRef::Project(parse_id(&administrator.project_id)?);
            let config = ClientConfig::new(address, credentials, project);
            Ok(Client::new(ClientConfig { settings: settings.clone(), ..config })?)
        });
        clients.collect()
    }

    /// Opens a store that connects directly to PostgreSQL and S3 and bypasses the fault proxies.
    pub(crate) async fn open_store(&self) -> Result<Store, ChaosError> {
        let (key, secret) = S3Server::ADMIN_CREDENTIALS;
        let location =
            StoreLocation { data_dir: self.deployment.data_dir(), metadata_url: Some(self.postgresql.url().parse()?) };
        let settings = S3Settings::new(
            &format!("s3://{}/{RESULT_OBJECT_KEY_PREFIX}", S3Server::BUCKET_NAME),
            Some(self.s3.endpoint()),
            "us-east-1".to_owned(),
            key.to_owned(),
            secret.to_owned().into(),
        );
        let results =
            ResultStore::connect_to_object_storage(&settings.map_err(operation_error("configure the result store"))?)
                .await?;
        Ok(Store::open(location).await?.with_result_store(results))
    }
}

/// Sets the parent-death signal to SIGKILL, which overrides the SIGTERM set by [`Command::start`].
fn wrap_command_with_parent_death_signal(program: impl Into<OsString>, arguments: &[&str]) -> Command {
    let wrapper = Command::new("setpriv").args(["--pdeathsig", "KILL", "--"]);
    Command::new(program).args(arguments.iter().copied()).wrapped_in(wrapper)
}

/// The kernel removes the tmpfs when the wrapped process exits.
fn wrap_command_with_private_tmpfs(disk: &Path, command: Command) -> Command {
    const TMPFS_MOUNT_SCRIPT: &str = "mount -t tmpfs -o size=64m clew-chaos \"$0\" && exec \"$@\"";
    let unshare = ["--user", "--map-root-user", "--mount", "--", "sh", "-c", TMPFS_MOUNT_SCRIPT];
    command.wrapped_in(Command::new("unshare").args(unshare).args([disk]))
}

/// The worker gets a private `/dev/shm`, because libfaketime leaks shared memory when the process is killed.
fn build_faketime_worker_command(clew: &Path) -> Result<Command, ChaosError> {
    let missing = || operation_error("find libfaketime")("the Debian package faketime is not installed");
    let mut preload = OsString::from("LD_PRELOAD=");
    preload.push(test_tools::libfaketime_path().ok_or_else(missing)?);
    let command = wrap_command_with_parent_death_signal("env", &[]).args([preload, clew.into(), "worker".into()]);
    Ok(wrap_command_with_private_tmpfs(Path::new("/dev/shm"), command))
}
