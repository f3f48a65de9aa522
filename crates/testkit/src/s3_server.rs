//! Private S3 server for tests. All SeaweedFS components run in a single process.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use std::{fs, io};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::process::{START_TIMEOUT, ServerProcess, build_command_with_parent_death_signal, start_with_retries};
use crate::server_error::ServerError;
use crate::test_tools;

/// A running S3 server with the bucket [`S3Server::BUCKET_NAME`].
/// Dropping the `S3Server` kills the server and deletes all objects.
#[derive(Debug)]
pub struct S3Server {
    /// Process of the S3 server.
    pub process: ServerProcess,
    ports: SeaweedFsPorts,
    folder: TempDir,
}

const READINESS_PROBE_REQUEST: &str = "PUT /ready";
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

impl S3Server {
    /// Name of the bucket that exists on every [`S3Server`].
    pub const BUCKET_NAME: &str = "results";
    /// Access key id and secret key of an S3 identity with all permissions.
    pub const ADMIN_CREDENTIALS: (&str, &str) = ("AKCLEWOWNER", "the-secret-of-the-owner");
    /// Access key id and secret key of an S3 identity that may only read and list objects.
    pub const READ_ONLY_CREDENTIALS: (&str, &str) = ("AKCLEWREADER", "the-secret-of-the-reader");

    /// Starts an S3 server and waits until it accepts uploads.
    /// When the calling thread exits, the kernel kills the server process.
    pub async fn start() -> Result<Self, ServerError> {
        start_with_retries(Self::try_start).await
    }

    async fn try_start() -> Result<Self, ServerError> {
        let folder = tempfile::tempdir().map_err(ServerError::io("create a directory"))?;
        for name in ["data", "home"] {
            fs::create_dir(folder.path().join(name)).map_err(ServerError::io("create a directory"))?;
        }
        fs::write(folder.path().join("keys.json"), render_identity_config())
            .map_err(ServerError::io("write a file"))?;
        let ports = SeaweedFsPorts::find_free_ports().map_err(ServerError::io("find free ports"))?;
        let mut server = Self { process: spawn_server(&folder, &ports)?, ports, folder };
        server.wait_until_writable().await?;
        Ok(server)
    }

    async fn wait_until_writable(&mut self) -> Result<(), ServerError> {
        let bucket = format!("POST /buckets/{}/", Self::BUCKET_NAME);
        let requests = [
            (self.ports.filer, READINESS_PROBE_REQUEST),
            (self.ports.filer, bucket.as_str()),
            (self.ports.s3, "GET /status"),
        ];
        self.wait_until_requests_succeed(&requests).await
    }

    async fn wait_until_requests_succeed(&mut self, requests: &[(u16, &str)]) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_TIMEOUT;
        for (port, request) in requests {
            while !request_succeeds(*port, request).await {
                self.process.wait_before_next_probe(deadline, "start an S3 server").await?;
            }
        }
        Ok(())
    }

    /// Returns the endpoint URL of the S3 API.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.s3)
    }

    /// Returns the socket address of the S3 API.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.s3))
    }

    /// Stops the server with SIGTERM and waits for its process to exit.
    pub async fn stop(&mut self) -> io::Result<()> {
        self.process.stop_gracefully(Signal::TERM).await
    }

    /// Restarts the stopped server with the same ports and objects, and waits until it accepts uploads.
    /// When the calling thread exits, the kernel kills the server process.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process = spawn_server(&self.folder, &self.ports)?;
        // The bucket already exists.
        self.wait_until_requests_succeed(&[(self.ports.filer, READINESS_PROBE_REQUEST), (self.ports.s3, "GET /status")])
            .await
    }

    /// Returns the names of all objects in a folder of the bucket.
    /// Lists the objects through the SeaweedFS filer API, which requires no S3 signature.
    pub async fn list_objects(&self, folder: &str) -> Result<Vec<String>, ServerError> {
        let request = format!("GET /buckets/{}/{folder}/?limit=1000000", Self::BUCKET_NAME);
        let response = send_request(self.ports.filer, &request, b"").await.map_err(ServerError::io("list objects"))?;
        Ok(parse_object_names(&String::from_utf8_lossy(&response)))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        // SeaweedFS creates sockets in /tmp and does not remove them if it is killed.
        for (component, port) in self.ports.seaweedfs_component_ports() {
            let _ = fs::remove_file(format!("/tmp/seaweedfs-{component}-grpc-{}.sock", port + GRPC_PORT_OFFSET));
        }
    }
}

fn spawn_server(folder: &TempDir, ports: &SeaweedFsPorts) -> Result<ServerProcess, ServerError> {
    let program = test_tools::seaweedfs_path();
    if !program.exists() {
        return Err(ServerError::Missing { server: "SeaweedFS", program });
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut command = build_command_with_parent_death_signal("KILL", &program);
    let files = [
        ("-dir", "data"),
        ("-s3.config", "keys.json"),
        ("-filer.localSocket", "filer.socket"),
        ("-s3.localSocket", "s3.socket"),
    ];
    command.args(["-logtostderr", "server", "-filer", "-s3"]);
    command.args(ports.seaweedfs_component_ports().map(|(component, port)| format!("-{component}.port={port}")));
    command.args(files.map(|(option, name)| format!("{option}={}", path(name))));
    command
        .args(SEAWEEDFS_OPTIONS)
        // SeaweedFS reads settings from the home directory.
        .env("HOME", folder.path().join("home"))
        .current_dir(folder.path());
    ServerProcess::spawn(&mut command, folder.path())
}

const SEAWEEDFS_OPTIONS: [&str; 10] = [
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=64",
    "-volume.max=0",
    "-volume.preStopSeconds=0",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.iam=false",
    // Requests for a missing bucket must fail.
    "-s3.autoCreateBucket=false",
];

fn render_identity_config() -> String {
    let identity = |name: &str, (key, secret): (&str, &str), actions: &str| {
        format!(
            r#"{{"name":"{name}","credentials":[{{"accessKey":"{key}","secretKey":"{secret}"}}],"actions":[{actions}]}}"#
        )
    };
    let owner = identity("owner", S3Server::ADMIN_CREDENTIALS, r#""Admin""#);
    let reader = identity("reader", S3Server::READ_ONLY_CREDENTIALS, r#""Read","List""#);
    format!(r#"{{"identities":[{owner},{reader}]}}"#)
}

async fn request_succeeds(port: u16, request: &str) -> bool {
    send_request(port, request, b"x").await.is_ok_and(|response| is_success_response(&response))
}

fn is_success_response(response: &[u8]) -> bool {
    response.starts_with(b"HTTP/1.0 2")
}

/// Sends an HTTP/1.0 request, because the response to an HTTP/1.1 request may be chunked.
async fn send_request(port: u16, request: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.0\r\nhost: 127.0.0.1\r\naccept: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        Ok(response)
    };
    timeout(RESPONSE_TIMEOUT, exchange).await?
}

/// Entries of a SeaweedFS directory listing have the format `"FullPath":"/buckets/results/folder/name"`.
/// Extracts the object names, which do not contain characters that JSON escapes.
fn parse_object_names(listing: &str) -> Vec<String> {
    let paths = listing.split("\"FullPath\":").skip(1).filter_map(|rest| rest.split('"').nth(1));
    paths.filter_map(|path| path.rsplit('/').next()).map(str::to_owned).collect()
}

const GRPC_PORT_OFFSET: u16 = 10_000;

#[derive(Debug)]
struct SeaweedFsPorts {
    master: u16,
    volume: u16,
    filer: u16,
    s3: u16,
}

impl SeaweedFsPorts {
    fn find_free_ports() -> io::Result<Self> {
        // All ports remain reserved until the last pair is found.
        let mut reserved = Vec::new();
        let mut pair = || loop {
            let first = TcpListener::bind("127.0.0.1:0")?;
            let port = first.local_addr()?.port();
            let second = port.checked_add(GRPC_PORT_OFFSET).map(|second| TcpListener::bind(("127.0.0.1", second)));
            let is_free = second.as_ref().is_some_and(Result::is_ok);
            reserved.push((first, second));
            if is_free {
                return io::Result::Ok(port);
            }
            if reserved.len() > 1_000 {
                return Err(io::Error::other("no two ports are free that far apart"));
            }
        };
        Ok(Self { master: pair()?, volume: pair()?, filer: pair()?, s3: pair()? })
    }

    fn seaweedfs_component_ports(&self) -> [(&'static str, u16); 4] {
        [("master", self.master), ("volume", self.volume), ("filer", self.filer), ("s3", self.s3)]
    }
}
