//! A private nginx: one file by sendfile, and one constant.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::setup;
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::quoted;
use crate::command::Command;
use crate::error::XtaskError;
use crate::processes;

/// Path of the file.
pub(super) const RESULT: &str = "/result";
/// Path of the constant.
pub(super) const CONSTANT: &str = "/constant";
/// For it to come up, and to end.
const LIMIT: Duration = Duration::from_secs(10);

/// A running nginx. Dropped, it ends in order, with its workers.
pub(super) struct Nginx {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Nginx {
    /// Starts one that gives `file` and, as JSON, `constant`. Its own files go to `folder`.
    pub(super) async fn start(folder: PathBuf, file: &Path, constant: &str) -> Result<Self, XtaskError> {
        let failed = |doing| move |path| move |cause| XtaskError::File { doing, path, cause };
        std::fs::create_dir_all(&folder).map_err(failed("make")(folder.clone()))?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(failed("find a free port for nginx in")(folder.clone()))?;
        let configuration = folder.join("nginx.conf");
        std::fs::write(&configuration, describe(&folder, file, constant, address))
            .map_err(failed("write")(configuration.clone()))?;
        let log = folder.join("log");
        let log_file = std::fs::File::create(&log).map_err(failed("create")(log.clone()))?;
        let nginx = Command::new(setup::nginx())
            .args(["-e", "stderr", "-p"])
            .args([&folder])
            .args(["-c"])
            .args([&configuration]);
        let mut started = Self { process: nginx.start(log_file)?, address };
        let start = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            let ended = started.process.try_wait().is_ok_and(|status| status.is_some());
            if ended || start.elapsed() > LIMIT {
                let answer = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(XtaskError::Answer {
                    command: nginx.shown(),
                    cause: "it does not listen".to_owned(),
                    answer,
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(started)
    }

    /// Ends it, and waits until it has.
    pub(super) async fn stop(mut self) {
        processes::ask_to_end(&self.process);
        // What does not end is killed when this is dropped.
        let _ = tokio::time::timeout(LIMIT, self.process.wait()).await;
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed at once, it would leave its workers behind.
        processes::ask_to_end(&self.process);
        for _ in 0..100 {
            if !matches!(self.process.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// As much like a server that is meant to be fast as Clew is: sendfile, connections that stay, no log.
fn describe(folder: &Path, file: &Path, constant: &str, address: SocketAddr) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {};\n", quoted(&folder.join(kind))))
        .concat();
    format!(
        "daemon off;
worker_processes auto;
pid {pid};
{user}events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
{temporary}  server {{
    listen {address};
    location = {RESULT} {{ default_type text/csv; alias {file}; }}
    location = {CONSTANT} {{ default_type application/json; return 200 '{constant}'; }}
  }}
}}
",
        pid = quoted(&folder.join("pid")),
        // Only root may say it; then its workers may read what is root's.
        user = if processes::is_root() { "user root;\n" } else { "" },
        file = quoted(file),
    )
}
