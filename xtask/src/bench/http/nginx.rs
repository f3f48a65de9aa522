//! Private nginx that serves one file with sendfile and one constant response.

use std::net::SocketAddr;
use std::path::Path;

use clew_testkit::{Nginx, ServerError};

use super::quote_path;

/// URL path of the file.
pub(super) const RESULT: &str = "/result";
/// URL path of the constant response.
pub(super) const CONSTANT: &str = "/constant";

/// Starts an nginx that serves `file`, and `constant` as JSON.
/// Its settings optimize speed: sendfile, keep-alive connections, no access log.
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
            file = quote_path(file),
        )
    })
    .await
}
