//! Backend for the platform tests: PostgreSQL, S3, and four processes behind the load balancer of `docs/operations`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clew_store::StoreLocation;
use clew_testkit::{NginxServer, PostgreSqlServer, S3Server};
use sqlx::{Connection as _, PgConnection};

use crate::harness::{Home, StartedProcesses};

/// Number of worker processes.
pub(crate) const WORKERS: u64 = 2;
/// Text that the names of metadata files contain.
pub(crate) const METADATA: &str = "PostgreSQL";
/// Load balancer configuration from the reference deployment.
const NGINX: &str = include_str!("../../../../docs/operations/nginx/clew.conf");

/// Load balancer for the servers.
pub(crate) type LoadBalancer = NginxServer;
pub(crate) type Connection = PgConnection;

/// A data directory with the master key, PostgreSQL for metadata, and S3 for results.
pub(crate) struct Backend {
    dir: PathBuf,
    metadata: PostgreSqlServer,
    results: S3Server,
}

impl Backend {
    pub(crate) async fn new(dir: PathBuf) -> Self {
        let (metadata, results) = tokio::join!(PostgreSqlServer::start(), S3Server::start());
        Self { dir, metadata: metadata.unwrap(), results: results.unwrap() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Environment variables for `clew`.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let (key, secret) = S3Server::ADMIN_CREDENTIALS;
        vec![
            ("CLEW_DATA_DIR", self.dir.clone().into()),
            ("CLEW_METADATA_URL", self.metadata.url().into()),
            ("CLEW_RESULTS", format!("s3://{}/clew", S3Server::BUCKET_NAME).into()),
            ("AWS_ENDPOINT_URL", self.results.endpoint().into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", key.into()),
            ("AWS_SECRET_ACCESS_KEY", secret.into()),
        ]
    }

    pub(crate) fn location(&self) -> StoreLocation {
        StoreLocation { data_dir: self.dir.clone(), metadata_url: Some(self.metadata.url().parse().unwrap()) }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.metadata.url()).await.unwrap()
    }

    /// Returns the directories of all stored data, with names.
    pub(crate) fn storage_dirs(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("data directory", self.dir.clone()),
            (METADATA, self.metadata.process.data_dir()),
            ("S3", self.results.process.data_dir()),
        ]
    }
}

/// Starts servers and workers.
/// Each process has its own data directory, which contains only the master key, as on separate machines.
pub(crate) async fn serve(
    home: &Home,
    clew: &dyn Fn() -> Command,
    processes: &mut StartedProcesses,
) -> (String, LoadBalancer) {
    let mut start = |name: &str, arguments: &[&str]| {
        let dir = home.folder.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::copy(home.dir().join("master.key"), dir.join("master.key")).unwrap();
        home.start(clew(), arguments, &dir, processes)
    };
    let servers =
        ["server-1", "server-2"].map(|name| start(name, &["serve", "--no-worker", "--listen", "127.0.0.1:0"]));
    for name in ["worker-1", "worker-2"] {
        start(name, &["worker"]);
    }
    let nginx = NginxServer::start(|address| load_balancer_configuration(&servers, address)).await.unwrap();
    (format!("http://{}", nginx.address()), nginx)
}

/// Adapts the reference configuration to these servers, without TLS.
fn load_balancer_configuration(servers: &[String; 2], address: SocketAddr) -> String {
    let mut configuration = NGINX.to_owned();
    let [first, second] = servers.each_ref().map(|server| server.trim_start_matches("http://"));
    for (reference, here) in [
        ("10.0.0.11:8407", first),
        ("10.0.0.12:8407", second),
        ("listen 443 ssl;", &format!("listen {address};")),
        ("ssl_certificate /etc/clew/tls/clew.pem;", ""),
        ("ssl_certificate_key /etc/clew/tls/clew.key;", ""),
    ] {
        assert_eq!(configuration.matches(reference).count(), 1, "{reference}");
        configuration = configuration.replace(reference, here);
    }
    configuration
}
