//! A platform: PostgreSQL and S3, and four processes behind the load balancer of `docs/operations`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clew_store::Location;
use clew_testkit::{Nginx, PostgreSql, S3Server};
use sqlx::{Connection as _, PgConnection};

use crate::harness::{Home, Started};

/// Processes that take collections up.
pub(crate) const WORKERS: u64 = 2;
/// What the names of files with the metadata have.
pub(crate) const METADATA: &str = "PostgreSQL";
/// How the reference deployment sets its load balancer up.
const NGINX: &str = include_str!("../../../../docs/operations/nginx/clew.conf");

/// What stands before the processes.
pub(crate) type Front = Nginx;
pub(crate) type Connection = PgConnection;

/// A data directory with the master key, and where everything else is.
pub(crate) struct Place {
    dir: PathBuf,
    metadata: PostgreSql,
    results: S3Server,
}

impl Place {
    pub(crate) async fn new(dir: PathBuf) -> Self {
        let (metadata, results) = tokio::join!(PostgreSql::start(), S3Server::start());
        Self { dir, metadata: metadata.unwrap(), results: results.unwrap() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What tells `clew` where everything is.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let (key, secret) = S3Server::OWNER;
        vec![
            ("CLEW_DATA_DIR", self.dir.clone().into()),
            ("CLEW_METADATA", self.metadata.url().into()),
            ("CLEW_RESULTS", format!("s3://{}/clew", S3Server::BUCKET).into()),
            ("AWS_ENDPOINT_URL", self.results.endpoint().into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", key.into()),
            ("AWS_SECRET_ACCESS_KEY", secret.into()),
        ]
    }

    pub(crate) fn location(&self) -> Location {
        Location { data_dir: self.dir.clone(), metadata: Some(self.metadata.url().parse().unwrap()) }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.metadata.url()).await.unwrap()
    }

    /// Folders with all that is kept, each with a name.
    pub(crate) fn kept(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("data directory", self.dir.clone()),
            (METADATA, self.metadata.data_dir()),
            ("S3", self.results.data_dir()),
        ]
    }
}

/// Starts serving: each process with a folder of its own, as on machines of their own, which has the master key and nothing else.
pub(crate) async fn serve(home: &Home, clew: &dyn Fn() -> Command, processes: &mut Started) -> (String, Front) {
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
    let nginx = Nginx::start(|address| before(&servers, address)).await.unwrap();
    (format!("http://{}", nginx.address()), nginx)
}

/// The reference configuration with these servers, and without TLS.
fn before(servers: &[String; 2], address: SocketAddr) -> String {
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
