//! The platform: everything that Clew stands on, three servers, four workers, and what is watched.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clew_client::{Client, Credentials, Settings};
use clew_store::{Location, ResultStore, S3Settings, Store};
use clew_testkit::{DroppingProxy, PostgreSql, S3Server, setup};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::process::Command;

use crate::error::{FaultsError, io};
use crate::nodes::{Inventory, Kind, Node, Watched};
use crate::process::Clew;

const SERVERS: usize = 3;
const WORKERS: usize = 4;
/// Which worker has a clock of its own, …
pub(crate) const WITH_OWN_CLOCK: usize = 2;
/// … and which a disk.
pub(crate) const WITH_OWN_DISK: usize = 3;
/// Where on S3 results are.
pub(crate) const PREFIX: &str = "clew";
/// Nobody is told to come back later, and all clients are one address.
const CONFIGURATION: &str = "[limits]
principal_per_second = 0
peer_per_second = 0
streams_per_principal = 0
long_polls_per_principal = 0
[http]
connections_per_peer = 0
";

/// Everything, running. Dropped, nothing of it is left.
pub(crate) struct Place {
    // In this order: what stands on something goes before it.
    pub(crate) servers: Vec<Clew>,
    pub(crate) workers: Vec<Clew>,
    /// The way of each worker to PostgreSQL.
    pub(crate) ways: Vec<DroppingProxy>,
    /// The way of everybody to S3.
    pub(crate) to_results: DroppingProxy,
    pub(crate) metadata: PostgreSql,
    pub(crate) results: S3Server,
    pub(crate) inventory: Inventory,
    addresses: Vec<String>,
    founded: Founded,
    _watched: Watched,
    folder: TempDir,
}

/// What `clew init --format json` prints, as far as it is needed.
#[derive(Debug, Clone, Deserialize)]
struct Founded {
    project_id: String,
    access_key: String,
    secret_key: String,
}

#[derive(Debug, Deserialize)]
struct AddedInstance {
    instance_id: String,
    nodes: Vec<AddedNode>,
}

#[derive(Debug, Deserialize)]
struct AddedNode {
    id: String,
}

impl Place {
    /// Puts everything up. Call it on a thread that lives as long as the place should.
    pub(crate) async fn start(clew: &Path, logs: &Path) -> Result<Self, FaultsError> {
        let folder = tempfile::tempdir().map_err(io("make a folder"))?;
        let (metadata, results, watched) = tokio::try_join!(
            async { Ok(PostgreSql::start().await?) },
            async { Ok(S3Server::start().await?) },
            Watched::start()
        )?;
        let to_results = DroppingProxy::to(results.address()).await.map_err(io("make a way to S3"))?;
        let mut ways = Vec::new();
        for _ in 0..WORKERS {
            let metadata = SocketAddr::from(([127, 0, 0, 1], metadata.port()));
            ways.push(DroppingProxy::to(metadata).await.map_err(io("make a way to PostgreSQL"))?);
        }
        let configuration = folder.path().join("clew.toml");
        fs::write(&configuration, CONFIGURATION).map_err(io("write a configuration"))?;

        let home = Home { clew, folder: folder.path(), results: to_results.address() };
        let init = home.environment(&metadata.url(), "data");
        let founded: Founded = home.ask(&["init", "--format", "json"], &init).await?;
        let mut inventory = Inventory::default();
        for (number, nodes) in watched.instances()?.into_iter().enumerate() {
            inventory.add(home.add(&format!("watched-{number}"), &nodes, &init).await?);
        }
        let mut place = Self {
            servers: Vec::new(),
            workers: Vec::new(),
            ways,
            to_results,
            metadata,
            results,
            inventory,
            addresses: Vec::new(),
            founded,
            _watched: watched,
            folder,
        };
        for number in 0..SERVERS {
            place.start_server(number, clew, logs).await?;
        }
        for number in 0..WORKERS {
            place.start_worker(number, clew, logs).await?;
        }
        Ok(place)
    }

    fn home<'a>(&'a self, clew: &'a Path) -> Home<'a> {
        Home { clew, folder: self.folder.path(), results: self.to_results.address() }
    }

    /// Once with a free port, to learn which it is: it is the one that it comes back to.
    async fn start_server(&mut self, number: usize, clew: &Path, logs: &Path) -> Result<(), FaultsError> {
        let name = format!("server-{}", number + 1);
        let environment = self.home(clew).with_key(&self.metadata.url(), &name)?;
        let with_address = |address: &str| {
            let arguments = ["serve", "--no-worker", "--listen", address];
            Clew::new(&name, alone(clew, &arguments), environment.clone(), logs)
        };
        let mut first = with_address("127.0.0.1:0");
        let address = first.start().await?;
        first.kill().await?;
        let mut server = with_address(address.trim_start_matches("http://"));
        self.addresses.push(server.start().await?);
        self.servers.push(server);
        Ok(())
    }

    async fn start_worker(&mut self, number: usize, clew: &Path, logs: &Path) -> Result<(), FaultsError> {
        let name = format!("worker-{}", number + 1);
        let way = self.ways.get(number).map_or(self.metadata.port(), |way| way.address().port());
        let url = format!("postgres://postgres@127.0.0.1:{way}/postgres");
        let mut environment = self.home(clew).with_key(&url, &name)?;
        let mut command = alone(clew, &["worker"]);
        if number == WITH_OWN_CLOCK {
            command = with_own_clock(clew)?;
            fs::write(self.clock(), "+0\n").map_err(io("write a clock"))?;
            environment.push(("FAKETIME_TIMESTAMP_FILE", self.clock().into()));
            environment.push(("FAKETIME_CACHE_DURATION", "1".into()));
            // What waiting is measured by stays as it is, as where somebody sets a clock.
            environment.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()));
        }
        if number == WITH_OWN_DISK {
            fs::create_dir_all(self.disk()).map_err(io("make a folder"))?;
            command = with_own_disk(&self.disk(), command);
            environment.push(("TMPDIR", self.disk().into()));
        }
        let mut worker = Clew::new(&name, command, environment, logs);
        worker.start().await?;
        self.workers.push(worker);
        Ok(())
    }

    /// A file that says by how much the clock of the worker that has its own is wrong.
    pub(crate) fn clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Where the worker that has a disk of its own sees it, and nobody else does.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// A client for each server.
    pub(crate) fn clients(&self, settings: &Settings) -> Result<Vec<Client>, FaultsError> {
        let clients = self.addresses.iter().map(|address| {
            let key = parsed(&self.founded.access_key)?;
            let client = Client::builder(address)
                .credentials(Credentials::access_key(key, self.founded.secret_key.clone().into()))
                .project(parsed(&self.founded.project_id)?)
                .settings(settings.clone())
                .build()?;
            Ok(client)
        });
        clients.collect()
    }

    /// The store, as a process of its own would open it.
    pub(crate) async fn store(&self) -> Result<Store, FaultsError> {
        let (key, secret) = S3Server::OWNER;
        let location =
            Location { data_dir: self.folder.path().join("data"), metadata: Some(self.metadata.url().parse()?) };
        let wrong = |reason: String| io("name the results")(std::io::Error::other(reason));
        let settings = S3Settings::new(
            &format!("s3://{}/{PREFIX}", S3Server::BUCKET),
            Some(self.results.endpoint()),
            "us-east-1".to_owned(),
            key.to_owned(),
            secret.to_owned().into(),
        );
        let results = ResultStore::s3(&settings.map_err(wrong)?).await?;
        Ok(Store::open(location).await?.with_results(results))
    }
}

/// What all processes have in common.
struct Home<'a> {
    clew: &'a Path,
    folder: &'a Path,
    results: SocketAddr,
}

impl Home<'_> {
    fn environment(&self, metadata: &str, dir: &str) -> Vec<(&'static str, OsString)> {
        let (key, secret) = S3Server::OWNER;
        vec![
            ("CLEW_DATA_DIR", self.folder.join(dir).into()),
            ("CLEW_METADATA", metadata.into()),
            ("CLEW_RESULTS", format!("s3://{}/{PREFIX}", S3Server::BUCKET).into()),
            ("CLEW_CONFIG", self.folder.join("clew.toml").into()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.results).into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", key.into()),
            ("AWS_SECRET_ACCESS_KEY", secret.into()),
        ]
    }

    /// The same with a folder of its own, which has the master key and nothing else, as on a machine of its own.
    fn with_key(&self, metadata: &str, name: &str) -> Result<Vec<(&'static str, OsString)>, FaultsError> {
        let dir = self.folder.join(name);
        let copied = fs::create_dir_all(&dir)
            .and_then(|()| fs::copy(self.folder.join("data").join("master.key"), dir.join("master.key")));
        copied.map_err(io("copy the master key"))?;
        Ok(self.environment(metadata, name))
    }

    /// What a command answers in JSON.
    async fn ask<T: DeserializeOwned>(
        &self,
        arguments: &[&str],
        environment: &[(&'static str, OsString)],
    ) -> Result<T, FaultsError> {
        let mut command = Command::new(self.clew);
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        // `init` and `instance add` know fewer settings than processes that stay.
        command.env_remove("CLEW_CONFIG").env("CLEW_DB_PASSWORD", "");
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(io("start clew"))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            io("prepare the inventory")(std::io::Error::other(said))
        })
    }

    async fn add(
        &self,
        name: &str,
        nodes: &[(String, Kind)],
        environment: &[(&'static str, OsString)],
    ) -> Result<Vec<Node>, FaultsError> {
        let mut arguments = vec!["instance", "add", "--name", name, "--format", "json"];
        arguments.extend(nodes.iter().flat_map(|(url, _)| ["--node", url.as_str()]));
        let added: AddedInstance = self.ask(&arguments, environment).await?;
        let ids = added.nodes.iter().zip(nodes);
        let of = |(added_node, (_, kind)): (&AddedNode, &(String, Kind))| {
            let (instance, id) = (parsed(&added.instance_id)?, parsed(&added_node.id)?);
            Ok(Node { kind: *kind, instance, id })
        };
        ids.map(of).collect()
    }
}

/// The program, killed by the kernel when the thread that started it is gone.
fn alone(clew: &Path, arguments: &[&str]) -> Vec<OsString> {
    let mut command: Vec<OsString> = ["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from).into();
    command.push(clew.into());
    command.extend(arguments.iter().map(OsString::from));
    command
}

/// With a small disk that is there for this process alone: it is mounted where nobody else looks, and is gone with the process.
fn with_own_disk(disk: &Path, command: Vec<OsString>) -> Vec<OsString> {
    const MOUNT: &str = "mount -t tmpfs -o size=64m clew-faults \"$0\" && exec \"$@\"";
    let mut own: Vec<OsString> =
        ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", MOUNT].map(OsString::from).into();
    own.push(disk.into());
    own.extend(command);
    own
}

/// With a clock that goes as the others do, as long as the file does not say otherwise. The library leaves shared memory behind where its
/// process is killed: that is on a disk of its own too.
fn with_own_clock(clew: &Path) -> Result<Vec<OsString>, FaultsError> {
    let missing = || io("find libfaketime (Debian package faketime)")(std::io::ErrorKind::NotFound.into());
    let mut preload = OsString::from("LD_PRELOAD=");
    preload.push(setup::faketime().ok_or_else(missing)?);
    let mut command = alone(Path::new("env"), &[]);
    command.extend([preload, clew.into(), "worker".into()]);
    Ok(with_own_disk(Path::new("/dev/shm"), command))
}

/// What Clew itself has printed.
fn parsed<T: std::str::FromStr>(id: &str) -> Result<T, FaultsError> {
    id.parse().map_err(|_| io("understand what clew printed")(std::io::Error::other(id.to_owned())))
}
