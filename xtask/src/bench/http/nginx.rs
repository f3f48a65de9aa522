//! A private nginx that gives one file by sendfile, and one constant.

use std::net::SocketAddr;
use std::path::Path;

use clew_testkit::{Nginx, ServerError};

use super::quoted;

/// Path of the file.
pub(super) const RESULT: &str = "/result";
/// Path of the constant.
pub(super) const CONSTANT: &str = "/constant";

/// Starts one that gives `file` and, as JSON, `constant`. As much like a server that is meant to be fast as Clew is: sendfile, connections
/// that stay, no log.
pub(super) async fn start(file: &Path, constant: &str) -> Result<Nginx, ServerError> {
    Nginx::start(|address: SocketAddr| {
        format!(
            "  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  server {{
    listen {address};
    location = {RESULT} {{ default_type text/csv; alias {file}; }}
    location = {CONSTANT} {{ default_type application/json; return 200 '{constant}'; }}
  }}",
            file = quoted(file),
        )
    })
    .await
}
