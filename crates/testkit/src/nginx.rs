//! A private nginx.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use rustix::process::geteuid;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::process::{Process, terminated_with_parent};
use crate::server::{MAX_START_ATTEMPTS, free_port};
use crate::server_error::ServerError;
use crate::setup;

/// For it to come up.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running nginx. Dropped, it ends in order, with its workers.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl Nginx {
    /// Starts one, and waits until it listens. `http` says what stands in the `http` block of its configuration, with a server on the
    /// address that it is given. Call it on a thread that lives as long as the server should.
    pub async fn start(http: impl Fn(SocketAddr) -> String) -> Result<Self, ServerError> {
        let mut last = None;
        for _ in 0..MAX_START_ATTEMPTS {
            match Self::try_start(&http).await {
                Err(error @ ServerError::Failed { .. }) => last = Some(error),
                started => return started,
            }
        }
        Err(last.unwrap_or(ServerError::Failed { doing: "start nginx", log: String::new() }))
    }

    async fn try_start(http: &impl Fn(SocketAddr) -> String) -> Result<Self, ServerError> {
        let failed = |doing| move |source| ServerError::Io { doing, source };
        let program = setup::nginx();
        if !program.exists() {
            return Err(ServerError::Missing { server: "nginx", program });
        }
        let folder = tempfile::tempdir().map_err(failed("make a folder"))?;
        let port = free_port().map_err(failed("find a free port"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, configuration(folder.path(), &http(address))).map_err(failed("write a file"))?;
        let log = fs::File::create(folder.path().join("log")).map_err(failed("write a file"))?;
        let mut command = terminated_with_parent(&program);
        command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(&configuration);
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let process = Process::new(started.map_err(failed("start setpriv (Debian package util-linux)"))?);
        let mut server = Self { process, address, folder };
        server.wait_until_listening().await?;
        Ok(server)
    }

    async fn wait_until_listening(&mut self) -> Result<(), ServerError> {
        let start = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            let ended =
                self.process.has_exited().map_err(|source| ServerError::Io { doing: "watch a server", source })?;
            if ended || start.elapsed() > START_TIMEOUT {
                return Err(ServerError::Failed { doing: "start nginx", log: self.error_log() });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has said.
    #[must_use]
    pub fn error_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Lets it end at once, and waits until it has.
    pub fn stop(&mut self) -> io::Result<()> {
        self.process.terminate()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        let _ = self.stop();
    }
}

/// Everything of nginx in its folder, and nothing of the machine's.
fn configuration(folder: &Path, http: &str) -> String {
    let path_in_directory = |name: &str| format!("\"{}\"", folder.join(name).display());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {};\n", path_in_directory(kind)))
        .concat();
    // Only root may say it; then its workers may read what is root's.
    let user = if geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "daemon off;
worker_processes auto;
pid {pid};
{user}events {{ worker_connections 1024; }}
http {{
  access_log off;
{temporary}{http}
}}
",
        pid = path_in_directory("pid"),
    )
}
