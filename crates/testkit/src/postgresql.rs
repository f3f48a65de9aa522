//! Private PostgreSQL servers.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::process::{START_TIMEOUT, ServerProcess, find_free_port, start_with_retries};
use crate::server_error::ServerError;
use crate::{data_dir_template, test_tools};

/// Running PostgreSQL server with a temporary data directory.
/// Dropping the value stops the server and removes the data directory.
#[derive(Debug)]
pub struct PostgreSqlServer {
    /// Main process of the PostgreSQL server. The server runs each session in a child process.
    pub process: ServerProcess,
    port: u16,
    with_tls: bool,
    folder: TempDir,
}

const DATA_DIR_TEMPLATE_NAME: &str = "postgresql-15";

const SERVER_SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "shared_buffers=16MB",
    "max_connections=100",
    "max_wal_size=64MB",
    "autovacuum=off",
    "jit=off",
    "log_lock_waits=on",
];

impl PostgreSqlServer {
    /// Starts a PostgreSQL server and waits until it accepts connections.
    /// When the thread that started the server exits, the kernel sends SIGQUIT to the server.
    pub async fn start() -> Result<Self, ServerError> {
        start_with_retries(|| Self::try_start(None)).await
    }

    /// Starts a PostgreSQL server that accepts TLS connections. `certificate` and `key` are in PEM format.
    pub async fn start_with_tls(certificate: &str, key: &str) -> Result<Self, ServerError> {
        start_with_retries(|| Self::try_start(Some((certificate, key)))).await
    }

    async fn try_start(tls: Option<(&str, &str)>) -> Result<Self, ServerError> {
        let program = Path::new(test_tools::POSTGRESQL_BIN_DIR).join("postgres");
        if !program.exists() {
            return Err(ServerError::Missing { server: DATA_DIR_TEMPLATE_NAME, program });
        }
        let folder = tempfile::tempdir().map_err(ServerError::io("create a directory"))?;
        let data = folder.path().join("data");
        data_dir_template::copy_directory(
            &data_dir_template::get_or_create_data_dir_template(DATA_DIR_TEMPLATE_NAME, initialize_data_dir)?,
            &data,
        )?;
        if let Some((certificate, key)) = tls {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let file = data.join(name);
                let written =
                    fs::write(&file, text).and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o600)));
                written.map_err(ServerError::io("write a file"))?;
            }
        }
        chown_to_postgres(folder.path())?;
        let port = find_free_port()?;
        let with_tls = tls.is_some();
        let mut server = Self { process: spawn_server(folder.path(), port, with_tls)?, port, with_tls, folder };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_TIMEOUT;
        // Another server could listen on the port, so the probe uses the socket.
        while !self.is_ready()? {
            self.process.wait_before_next_probe(deadline, "start PostgreSQL").await?;
        }
        Ok(())
    }

    fn is_ready(&self) -> Result<bool, ServerError> {
        let status = Command::new(Path::new(test_tools::POSTGRESQL_BIN_DIR).join("pg_isready"))
            .arg("--quiet")
            .arg("--host")
            .arg(self.folder.path())
            .arg("--port")
            .arg(self.port.to_string())
            .stdin(Stdio::null())
            .status();
        status.map(|status| status.success()).map_err(ServerError::io("run pg_isready"))
    }

    /// Simulates a crash with SIGQUIT. After a restart, the server recovers committed data.
    pub async fn crash(&mut self) -> io::Result<()> {
        self.process.stop_gracefully(Signal::QUIT).await
    }

    /// Stops PostgreSQL with SIGINT, which disconnects all sessions, and waits until the server exits.
    pub async fn stop(&mut self) -> io::Result<()> {
        self.process.stop_gracefully(Signal::INT).await
    }

    /// Restarts a stopped server with the same port and data, and waits until it accepts connections.
    /// When the thread that started the server exits, the kernel sends SIGQUIT to the server.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process = spawn_server(self.folder.path(), self.port, self.with_tls)?;
        self.wait_until_ready().await
    }

    /// Returns the TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns a URL that connects to an empty database as the superuser, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for_database("postgres")
    }

    /// Returns a URL that connects to the given database as the superuser, without a password.
    #[must_use]
    pub fn url_for_database(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PostgreSqlServer {
    fn drop(&mut self) {
        // A paused server cannot handle other signals.
        let _ = self.process.resume();
        // SIGKILL would leak the shared memory, which SIGQUIT releases.
        let _ = self.process.stop_with_signal(Signal::QUIT);
    }
}

fn spawn_server(folder: &Path, port: u16, with_tls: bool) -> Result<ServerProcess, ServerError> {
    let mut command = build_command_as_postgres_user();
    command.arg(Path::new(test_tools::POSTGRESQL_BIN_DIR).join("postgres"));
    command.arg("-D").arg(folder.join("data")).arg("-c").arg(format!("port={port}"));
    command.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
    for setting in SERVER_SETTINGS.into_iter().chain(with_tls.then_some("ssl=on")) {
        command.args(["-c", setting]);
    }
    ServerProcess::spawn(&mut command, folder)
}

/// PostgreSQL refuses to run as root, so the command runs as the account `postgres`.
fn build_command_as_postgres_user() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--");
    command
}

fn chown_to_postgres(folder: &Path) -> Result<(), ServerError> {
    if geteuid().is_root() {
        data_dir_template::run_command(
            Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder),
            "change the owner of a directory",
        )?;
    }
    Ok(())
}

fn initialize_data_dir(folder: &Path) -> Result<(), ServerError> {
    let staging = tempfile::tempdir().map_err(ServerError::io("create a directory"))?;
    chown_to_postgres(staging.path())?;
    let data = staging.path().join("data");
    let mut command = build_command_as_postgres_user();
    command.arg(Path::new(test_tools::POSTGRESQL_BIN_DIR).join("initdb")).arg("-D").arg(&data);
    command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]);
    data_dir_template::run_command(&mut command, "create the PostgreSQL data directory")?;
    data_dir_template::copy_directory(&data, folder)
}
