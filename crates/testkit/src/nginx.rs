//! Private nginx servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::process::{ServerProcess, build_command_with_parent_death_signal, find_free_port, start_with_retries};
use crate::server_error::ServerError;
use crate::test_tools;

const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Running nginx server. Dropping the `NginxServer` stops all nginx processes.
#[derive(Debug)]
pub struct NginxServer {
    process: ServerProcess,
    address: SocketAddr,
    _folder: TempDir,
}

impl NginxServer {
    /// Starts nginx and waits until it accepts connections.
    /// `http` returns the content of nginx's `http` block for the given listen address.
    /// The kernel sends SIGTERM to nginx when the calling thread exits.
    pub async fn start(http: impl Fn(SocketAddr) -> String) -> Result<Self, ServerError> {
        start_with_retries(|| Self::try_start(&http)).await
    }

    async fn try_start(http: &impl Fn(SocketAddr) -> String) -> Result<Self, ServerError> {
        let program = test_tools::nginx_path();
        if !program.exists() {
            return Err(ServerError::Missing { server: "nginx", program });
        }
        let folder = tempfile::tempdir().map_err(ServerError::io("create a directory"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], find_free_port()?));
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, render_configuration(folder.path(), &http(address)))
            .map_err(ServerError::io("write a file"))?;
        let mut command = build_command_with_parent_death_signal("TERM", &program);
        command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(&configuration);
        let mut server = Self { process: ServerProcess::spawn(&mut command, folder.path())?, address, _folder: folder };
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).await.is_err() {
            server.process.wait_before_next_probe(deadline, "start nginx").await?;
        }
        Ok(server)
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NginxServer {
    fn drop(&mut self) {
        // SIGKILL would leave the worker processes running.
        let _ = self.process.stop_with_signal(Signal::TERM);
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
