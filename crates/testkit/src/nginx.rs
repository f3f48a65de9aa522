//! Private nginx servers.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use rustix::process::geteuid;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::database_server::{MAX_START_ATTEMPTS, find_free_port};
use crate::process::{Process, build_command_with_sigterm_on_parent_exit};
use crate::server_error::ServerError;
use crate::test_tools;

const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Running nginx server. Dropping it stops the master process and the worker processes.
#[derive(Debug)]
pub struct NginxServer {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl NginxServer {
    /// Starts nginx and waits until it accepts connections.
    /// The closure `http` receives the listen address and returns the content of nginx's `http` block.
    /// The kernel sends SIGTERM to nginx when the calling thread exits.
    pub async fn start(http: impl Fn(SocketAddr) -> String) -> Result<Self, ServerError> {
        let mut last = None;
        for _ in 0..MAX_START_ATTEMPTS {
            match Self::try_start(&http).await {
                Err(error @ ServerError::Failed { .. }) => last = Some(error),
                started => return started,
            }
        }
        Err(last.unwrap_or(ServerError::Failed { operation: "start nginx", log: String::new() }))
    }

    async fn try_start(http: &impl Fn(SocketAddr) -> String) -> Result<Self, ServerError> {
        let failed = |operation| move |source| ServerError::Io { operation, source };
        let program = test_tools::nginx_path();
        if !program.exists() {
            return Err(ServerError::Missing { server: "nginx", program });
        }
        let folder = tempfile::tempdir().map_err(failed("create a directory"))?;
        let port = find_free_port().map_err(failed("find a free port"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, render_configuration(folder.path(), &http(address)))
            .map_err(failed("write a file"))?;
        let log = fs::File::create(folder.path().join("log")).map_err(failed("write a file"))?;
        let mut command = build_command_with_sigterm_on_parent_exit(&program);
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
            let ended = self
                .process
                .has_exited()
                .map_err(|source| ServerError::Io { operation: "check the state of a server process", source })?;
            if ended || start.elapsed() > START_TIMEOUT {
                return Err(ServerError::Failed { operation: "start nginx", log: self.read_error_log() });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the content of the error log.
    #[must_use]
    pub fn read_error_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops nginx with SIGTERM and waits until it exits.
    pub fn stop(&mut self) -> io::Result<()> {
        self.process.stop_with_sigterm()
    }
}

impl Drop for NginxServer {
    fn drop(&mut self) {
        // SIGKILL would leave the worker processes running.
        let _ = self.stop();
    }
}

fn render_configuration(folder: &Path, http: &str) -> String {
    let quoted_path = |name: &str| format!("\"{}\"", folder.join(name).display());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {};\n", quoted_path(kind)))
        .concat();
    // Only root can set the user. Without this line, worker processes could not read the files of root.
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
        pid = quoted_path("pid"),
    )
}
