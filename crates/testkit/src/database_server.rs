//! Private MariaDB and MySQL servers.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::data_dir_template;
use crate::flavor::Flavor;
use crate::process::{START_TIMEOUT, ServerProcess, find_free_port, start_with_retries};
use crate::server_clock::ServerClock;
use crate::server_error::ServerError;
use crate::server_release::ServerRelease;

/// Options of a [`DatabaseServer`].
#[derive(Debug, Clone)]
pub struct DatabaseServerOptions {
    /// Maximum number of connections.
    pub max_connections: u32,
    /// Additional command-line arguments.
    pub arguments: Vec<String>,
}

impl Default for DatabaseServerOptions {
    fn default() -> Self {
        Self { max_connections: 400, arguments: Vec::new() }
    }
}

/// Running MariaDB or MySQL server. Dropping the value kills the server and removes its data directory.
#[derive(Debug)]
pub struct DatabaseServer {
    release: ServerRelease,
    /// Process of the server.
    pub process: ServerProcess,
    port: u16,
    folder: TempDir,
    options: DatabaseServerOptions,
    environment: Vec<(&'static str, OsString)>,
}

const CLOSED_CONNECTION_REMOVAL_DELAY: Duration = Duration::from_millis(200);

impl DatabaseServer {
    /// Starts a database server and waits until it accepts connections.
    /// The kernel kills the server process when the thread that called this function exits.
    /// Do not call this function on a short-lived thread, such as a thread of tokio's blocking pool.
    pub async fn start(
        release: impl Into<ServerRelease>,
        options: &DatabaseServerOptions,
    ) -> Result<Self, ServerError> {
        let release = release.into();
        start_with_retries(|| Self::try_start(release, options, &[])).await
    }

    /// Starts a server that uses a settable clock. The clock must outlive the server.
    pub async fn start_with_settable_clock(
        release: impl Into<ServerRelease>,
        options: &DatabaseServerOptions,
        clock: &ServerClock,
    ) -> Result<Self, ServerError> {
        let release = release.into();
        let environment = clock.environment_variables()?;
        start_with_retries(|| Self::try_start(release, options, &environment)).await
    }

    async fn try_start(
        release: ServerRelease,
        options: &DatabaseServerOptions,
        environment: &[(&'static str, OsString)],
    ) -> Result<Self, ServerError> {
        let folder = tempfile::tempdir().map_err(ServerError::io("create a directory"))?;
        data_dir_template::copy_data_dir_template(release, &folder.path().join("data"))?;
        let init = folder.path().join("init.sql");
        fs::write(&init, create_root_account_sql(release)).map_err(ServerError::io("write a file"))?;
        let port = find_free_port()?;
        let process = spawn_server(release, folder.path(), port, options, environment)?;
        let (options, environment) = (options.clone(), environment.to_owned());
        let mut server = Self { release, process, port, folder, options, environment };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Kills and restarts the server with the same port and data, and waits until the server accepts connections.
    /// A restart resets the connection ids and preserves committed transactions.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.process.kill().map_err(ServerError::io("stop a server"))?;
        self.process = spawn_server(self.release, self.folder.path(), self.port, &self.options, &self.environment)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.is_ready().await.is_ok_and(|is_ready| is_ready) {
            self.process.wait_before_next_probe(deadline, "start a server").await?;
        }
        Ok(())
    }

    /// If the server reports a different data directory, another database server is listening on the port.
    async fn is_ready(&self) -> mysql_async::Result<bool> {
        let mut connection = self.connect_as_root().await?;
        let folder: Option<String> = connection.query_first("SELECT @@datadir").await?;
        connection.disconnect().await?;
        Ok(folder.is_some_and(|folder| Path::new(&folder) == self.process.data_dir()))
    }

    /// Returns the server flavor.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.release.flavor()
    }

    /// Returns the server's TCP port on 127.0.0.1 and, except for MySQL 5.6, on `::1`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the server's URL for the account `root`, which has no password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/", self.port)
    }

    /// Returns the server's URL for the given account and password.
    #[must_use]
    pub fn url_for_account(&self, user: &str, password: &str) -> String {
        format!("mysql://{user}:{password}@127.0.0.1:{}/", self.port)
    }

    /// Opens a connection as root.
    pub async fn connect_as_root(&self) -> mysql_async::Result<Conn> {
        let options = OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(self.port).user(Some("root"));
        Conn::new(options.prefer_socket(false)).await
    }

    /// Runs statements as root.
    pub async fn run_statements(&self, statements: &[&str]) -> mysql_async::Result<()> {
        let mut connection = self.connect_as_root().await?;
        for statement in statements {
            connection.query_drop(*statement).await?;
        }
        connection.disconnect().await?;
        sleep(CLOSED_CONNECTION_REMOVAL_DELAY).await;
        Ok(())
    }

    /// Waits for up to 90 seconds until the process list contains no other sessions of `root`.
    pub async fn wait_until_other_root_sessions_end(&self) -> mysql_async::Result<()> {
        let others = match self.flavor() {
            Flavor::MariaDb => {
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()"
            }
            Flavor::MySql => {
                "SELECT COUNT(*) FROM performance_schema.threads WHERE processlist_user = 'root' \
                 AND processlist_id <> CONNECTION_ID()"
            }
        };
        let mut connection = self.connect_as_root().await?;
        let start = Instant::now();
        while connection.query_first::<u64, _>(others).await? != Some(0) && start.elapsed() < START_TIMEOUT {
            sleep(Duration::from_millis(20)).await;
        }
        connection.disconnect().await?;
        // The server also needs time to remove this connection.
        sleep(CLOSED_CONNECTION_REMOVAL_DELAY).await;
        Ok(())
    }
}

impl Drop for DatabaseServer {
    /// Prints the server's error log if the test failed, because the log is removed when the server is dropped.
    #[expect(clippy::print_stderr, reason = "the output belongs to the output of the failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = if self.process.has_exited().unwrap_or(true) { "exited" } else { "running" };
            eprintln!(
                "{} server on port {}: {state}; error log:\n{}",
                self.release,
                self.port,
                self.process.read_error_log()
            );
        }
    }
}

fn spawn_server(
    release: ServerRelease,
    folder: &Path,
    port: u16,
    options: &DatabaseServerOptions,
    environment: &[(&'static str, OsString)],
) -> Result<ServerProcess, ServerError> {
    let mut command = release.build_server_command()?;
    let path = |name: &str| folder.join(name).display().to_string();
    command
        .args([
            format!("--datadir={}", path("data")),
            // At startup, MariaDB and MySQL delete the temporary tables of all servers that share the directory.
            format!("--tmpdir={}", folder.display()),
            format!("--socket={}", path("socket")),
            format!("--pid-file={}", path("pid")),
            format!("--init-file={}", path("init.sql")),
            format!("--port={port}"),
            format!("--max-connections={}", options.max_connections),
            format!("--open-files-limit={}", options.max_connections * 2 + 2000),
        ])
        .args(COMMON_SERVER_ARGUMENTS)
        .args(release.runtime_arguments())
        .args(release.cluster_arguments(find_free_port()?)?)
        .args(&options.arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    ServerProcess::spawn(&mut command, folder)
}

/// The account `root` needs no password, because the server listens only on the loopback interface.
fn create_root_account_sql(release: ServerRelease) -> &'static str {
    match release {
        // `GRANT` creates the account; `IF NOT EXISTS` is a syntax error.
        ServerRelease::MySql5 => "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n",
        _ => "CREATE USER IF NOT EXISTS root@'%';\nGRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n",
    }
}

const COMMON_SERVER_ARGUMENTS: [&str; 6] = [
    "--skip-name-resolve",
    "--max-allowed-packet=64M",
    "--innodb-buffer-pool-size=32M",
    // Writes the log at each commit without fsync, so that commits survive a killed server process.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=OFF",
    "--back-log=4096",
];
