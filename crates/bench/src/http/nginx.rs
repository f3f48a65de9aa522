//! Temporary nginx server that serves a file (with sendfile) and a constant JSON response.

use std::net::SocketAddr;
use std::path::Path;

use clew_testkit::{NginxServer, ServerError};

use super::quote_nginx_path;

pub(super) const DOWNLOAD_URL_PATH: &str = "/result";
pub(super) const FIXED_RESPONSE_URL_PATH: &str = "/constant";

/// For maximum speed, nginx uses `sendfile` and keep-alive connections, and does not write an access log.
pub(super) async fn start(file: &Path, constant: &str) -> Result<NginxServer, ServerError> {
    NginxServer::start(|address: SocketAddr| {
        format!(
            "  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  server {{
    listen {address};
    location = {DOWNLOAD_URL_PATH} {{ default_type text/csv; alias {file}; }}
    location = {FIXED_RESPONSE_URL_PATH} {{ default_type application/json; return 200 '{constant}'; }}
  }}",
            file = quote_nginx_path(file),
            constant = constant.replace('\'', "\\'"),
        )
    })
    .await
}
