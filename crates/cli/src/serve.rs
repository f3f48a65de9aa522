//! `clew serve`: runs the API server.

mod listener;

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use clew_http::Listener;
use tracing::info;

use crate::daemon::{self, Daemon, listen_for_shutdown_signals, require_shared_stores};
use crate::error::CliError;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    daemon: daemon::DaemonArgs,
    /// Address and port to listen on; port 0 selects a free port [default: 127.0.0.1:8407]
    #[arg(long, value_name = "ADDRESS", env = "CLEW_LISTEN")]
    listen: Option<String>,
    /// PEM file with the TLS certificate and its intermediate certificates; reloaded when it changes
    #[arg(long, value_name = "FILE", env = "CLEW_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the unencrypted private key of the TLS certificate
    #[arg(long, value_name = "FILE", env = "CLEW_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Allow plain HTTP on non-loopback addresses; passwords and statements are then sent unencrypted
    #[arg(long, env = "CLEW_ALLOW_PLAIN_HTTP", value_parser = FalseyValueParser::new())]
    allow_plain_http: bool,
    /// Run without the embedded worker; use separate clew worker processes for collections and kills
    #[arg(long, env = "CLEW_NO_WORKER", value_parser = FalseyValueParser::new())]
    no_worker: bool,
}

const AFTER_HELP: &str = "\
Examples:
  clew init && clew serve
  CLEW_METADATA_URL=postgres://clew@db.example.com/clew?sslmode=verify-full clew serve
  clew serve --no-worker --config /etc/clew/clew.toml      # with separate workers, on PostgreSQL and S3
  clew serve --data-dir /var/lib/clew --listen 0.0.0.0:8407 --tls-cert clew.pem --tls-key clew.key --log warn

The first line on stdout is the address. SIGINT and SIGTERM shut down gracefully: no new work starts, and running collections finish or
return to the queue. A replaced TLS certificate is loaded within 5 seconds, or immediately on SIGHUP; an invalid certificate is ignored.
Behind a proxy, set http.trusted_proxies: otherwise all clients behind the proxy share one rate limit.

Results on S3 require AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and AWS_ENDPOINT_URL for S3 servers other than Amazon S3.
At startup, Clew tests that it can write, read, list and delete objects. The bucket and prefix must not be shared with another Clew
installation.

Configuration file with all keys at their defaults:
  data_dir = \"./clew-data\"
  metadata_url = \"\"            # URL of a PostgreSQL database; \"\": SQLite in data_dir
  zones = []                   # zones whose nodes this process reads, such as \"dmz\"
  listen = \"127.0.0.1:8407\"
  allow_plain_http = false
  [collections]
  concurrency = 64             # active collections
  max_stalled = 256            # additional collections whose nodes have stalled
  per_node = 1                 # running collections per node
  queue_per_node = 32          # queued collections per node
  [nodes]
  timeout = \"10s\"
  connect_timeout = \"5s\"
  max_bytes = 1073741824       # received per read of a node
  max_row_bytes = 67108864     # per row; longer statements are truncated
  max_memory_bytes = 268435456 # memory per list of rows
  [results]
  location = \"\"                # such as \"s3://bucket/prefix\"
  retention = \"24h\"
  formula_guard = true
  [audit]
  retention = \"8760h\"         # one year
  [kills]
  protected_accounts = []      # accounts that are never killed, such as \"billing\"
  [http]
  connections = 1024
  reserved_connections = 16    # additional, only for /healthz, /readyz and /metrics
  connections_per_peer = 256   # 0: unlimited
  trusted_proxies = []         # proxies with trusted headers, such as \"10.0.0.0/8\"
  allowed_hosts = []           # accepted Host values, such as \"clew.example.com\"; []: any
  hsts = true                  # send Strict-Transport-Security over TLS
  header_timeout = \"10s\"
  body_timeout = \"30s\"
  [limits]                     # 0: unlimited
  principal_per_second = 100   # requests per user
  principal_burst = 200
  peer_per_second = 10         # sign-ins per address; failed attempts have a limit of the same size
  peer_burst = 30
  streams_per_principal = 32   # concurrent event streams per user
  long_polls_per_principal = 128 # concurrent long polls per user
  [tls]                        # \"\": disabled
  cert = \"\"
  key = \"\"";

pub(crate) async fn run(mut arguments: ServeArgs) -> Result<(), CliError> {
    let mut configuration = arguments.daemon.load_configuration()?;
    configuration.listen = arguments.listen.unwrap_or(configuration.listen);
    configuration.allow_plain_http |= arguments.allow_plain_http;
    configuration.tls.cert = arguments.tls_cert.unwrap_or(configuration.tls.cert);
    configuration.tls.key = arguments.tls_key.unwrap_or(configuration.tls.key);
    if arguments.no_worker {
        require_shared_stores(&configuration)?;
    }
    let api_settings = configuration.api_settings()?;
    let tls = configuration.tls.load_tls_config()?;
    let addresses = listener::resolve_listen_addresses(&configuration, tls.is_some()).await?;
    let daemon = Daemon::initialize(&arguments.daemon, &configuration).await?;
    let listener = listener::bind_listener(&configuration.listen, &addresses).await?;
    let address = listener.local_addr().map_err(|error| CliError::failed_command_error(error.to_string()))?;
    let service = daemon.build_http_service(&configuration, api_settings);
    let shutdown = listen_for_shutdown_signals()?;
    if let Some(tls) = &tls {
        listener::spawn_certificate_reloaders(tls, &shutdown)?;
    }
    let master_key_watch = daemon.start_background_tasks(&shutdown).await;
    let worker_tasks = if arguments.no_worker { Vec::new() } else { daemon.start_worker(&shutdown) };
    let scheme = if tls.is_some() { "https" } else { "http" };
    crate::output::write_stdout(&format!("{scheme}://{address}\n"))?;
    info!(clew.address = %address, clew.data_dir = %configuration.data_dir.display(), "server started");

    let listener = match tls {
        Some(tls) => Listener::with_tls(listener, tls),
        None => listener.into(),
    };
    let result = clew_api::serve(service, listener, shutdown.clone()).await;
    shutdown.cancel();
    daemon.join_worker_tasks(worker_tasks).await?;
    info!("server stopped");
    result.map_err(|error| CliError::failed_command_error(error.to_string()))?;
    master_key_watch.await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Configuration, list_configuration_keys, parse_configuration};

    #[test]
    fn help_lists_every_key_with_its_default() {
        let (_, file) = AFTER_HELP.split_once("at their defaults:\n").unwrap();
        assert_eq!(parse_configuration(file).unwrap(), Configuration::default());
        let table: toml::Table = file.parse().unwrap();
        for key in list_configuration_keys() {
            let value = match key.split_once('.') {
                Some((section, key)) => table[section].get(key),
                None => table.get(&key),
            };
            assert!(value.is_some(), "{key}");
        }
    }
}
