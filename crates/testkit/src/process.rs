//! Starts server processes and sends signals to them.
//! When the thread that spawned a server process exits, the kernel sends a signal to the process (`PR_SET_PDEATHSIG`).

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::server_error::ServerError;

/// The timeout allows for slow startups on busy machines.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(90);
/// Each attempt uses a new port, because the previous port may be taken.
const MAX_START_ATTEMPTS: usize = 3;
const STOP_TIMEOUT: Duration = Duration::from_mins(1);
const PROBE_INTERVAL: Duration = Duration::from_millis(20);

/// Process of a server. Dropping the value kills the process.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    folder: PathBuf,
}

impl ServerProcess {
    pub(crate) fn spawn(command: &mut Command, folder: &Path) -> Result<Self, ServerError> {
        let log = File::options().create(true).append(true).open(folder.join("log"));
        let log = log.map_err(ServerError::io("write a file"))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.map_err(ServerError::io("start setpriv (Debian package util-linux)"))?;
        Ok(Self { child, folder: folder.to_owned() })
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the server's data directory. On MySQL, the directory also contains the TLS certificates.
    /// If the tests run as root, the PostgreSQL data directory belongs to the account `postgres`.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the content of the error log.
    #[must_use]
    pub fn read_error_log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    pub(crate) fn has_exited(&mut self) -> io::Result<bool> {
        self.child.try_wait().map(|ended| ended.is_some())
    }

    /// Fails with the server's log if the deadline has passed or the server has exited.
    pub(crate) async fn wait_before_next_probe(
        &mut self,
        deadline: Instant,
        operation: &'static str,
    ) -> Result<(), ServerError> {
        let has_exited = self.has_exited().map_err(ServerError::io("check the state of a server process"))?;
        if has_exited || Instant::now() > deadline {
            return Err(ServerError::Failed { operation, log: self.read_error_log() });
        }
        sleep(PROBE_INTERVAL).await;
        Ok(())
    }

    /// Pauses the server and its child processes with SIGSTOP.
    /// While the server is paused, the kernel still accepts TCP connections from clients.
    pub fn pause(&self) -> io::Result<()> {
        self.send_signal(Signal::STOP)?;
        self.send_signal_to_children(Signal::STOP)
    }

    /// Resumes the server and its child processes with SIGCONT.
    pub fn resume(&self) -> io::Result<()> {
        self.send_signal_to_children(Signal::CONT)?;
        self.send_signal(Signal::CONT)
    }

    /// Kills the server with SIGKILL and waits for its process to exit.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    fn send_signal_to_children(&self, signal: Signal) -> io::Result<()> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        for child in children.split_whitespace().filter_map(|child| child.parse().ok().and_then(Pid::from_raw)) {
            match kill_process(child, signal) {
                // The process no longer exists.
                Err(Errno::SRCH) => {}
                sent => sent?,
            }
        }
        Ok(())
    }

    /// Blocks the calling thread until the server exits.
    pub(crate) fn stop_with_signal(&mut self, signal: Signal) -> io::Result<()> {
        self.send_signal_if_running(signal)?;
        self.child.wait().map(|_| ())
    }

    /// Kills the server with SIGKILL if it is still running after `STOP_TIMEOUT`.
    pub(crate) async fn stop_gracefully(&mut self, signal: Signal) -> io::Result<()> {
        self.send_signal_if_running(signal)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !self.has_exited()? {
            if Instant::now() > deadline {
                return self.kill();
            }
            sleep(PROBE_INTERVAL).await;
        }
        Ok(())
    }

    fn send_signal_if_running(&mut self, signal: Signal) -> io::Result<()> {
        if self.has_exited()? { Ok(()) } else { self.send_signal(signal) }
    }

    fn send_signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or_else(|| io::Error::other("the server has no process id"))?, signal)?;
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

pub(crate) async fn start_with_retries<T, F>(try_start: impl Fn() -> F) -> Result<T, ServerError>
where
    F: Future<Output = Result<T, ServerError>>,
{
    for _ in 1..MAX_START_ATTEMPTS {
        match try_start().await {
            Err(ServerError::Failed { .. }) => {}
            started => return started,
        }
    }
    try_start().await
}

/// SIGTERM, unlike SIGKILL, lets the program stop its own child processes before it exits.
pub(crate) fn build_command_with_parent_death_signal(signal: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

pub(crate) fn find_free_port() -> Result<u16, ServerError> {
    let mut reserved = Vec::new();
    loop {
        let first = TcpListener::bind("127.0.0.1:0").map_err(ServerError::io("find a free port"))?;
        let port = first.local_addr().map_err(ServerError::io("find a free port"))?.port();
        match TcpListener::bind(("::1", port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && reserved.len() < MAX_START_ATTEMPTS => {
                reserved.push(first);
            }
            second => return second.map(|_| port).map_err(ServerError::io("find a free port")),
        }
    }
}
