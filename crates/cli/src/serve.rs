//! `clew serve`: runs the API server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use clew_http::{Listener, TlsConfig};
use tokio::net::lookup_host;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::configuration::{Configuration, TlsSettings};
use crate::daemon::{self, Daemon, bind_listener, listen_error, listen_for_shutdown_signals, require_shared_stores};
use crate::error::{CliError, ResultExt, refused};

const CERTIFICATE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

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
    /// Run without the embedded worker; separate worker processes then execute collections and automatic kills
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
  strict_signatures = false    # require a signed Host header and body; excludes Go and PHP SDKs
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
    let addresses = resolve_listen_addresses(&configuration, tls.is_some()).await?;
    let daemon = Daemon::initialize(&arguments.daemon, &configuration).await?;
    let (listener, address) = bind_listener(&configuration.listen, addresses.as_slice()).await?;
    let shutdown = listen_for_shutdown_signals()?;
    if let Some(tls) = &tls {
        spawn_certificate_reloaders(tls, &shutdown)?;
    }
    let service = daemon.build_http_service(&configuration, api_settings);
    let tasks = daemon.start_tasks(!arguments.no_worker, &shutdown).await;
    let scheme = if tls.is_some() { "https" } else { "http" };
    crate::output::write_stdout(&format!("{scheme}://{address}\n"))?;
    info!(clew.address = %address, clew.data_dir = %configuration.data_dir.display(), "server started");

    let listener = match tls {
        Some(tls) => Listener::with_tls(listener, tls),
        None => listener.into(),
    };
    let result = clew_api::serve(service, listener, shutdown.clone()).await;
    shutdown.cancel();
    daemon.join_tasks("server", tasks, result).await
}

async fn resolve_listen_addresses(configuration: &Configuration, tls: bool) -> Result<Vec<SocketAddr>, CliError> {
    let listen = &configuration.listen;
    let addresses: Vec<_> = lookup_host(listen).await.map_err(listen_error(listen))?.collect();
    let public = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback());
    match public {
        Some(address) if !tls && !configuration.allow_plain_http => Err(refused!(
            "{address} is reachable from other machines, and without TLS passwords, tokens and statements are sent \
             unencrypted"
        )
        .with_suggested_fix(
            "set --tls-cert and --tls-key; or listen on 127.0.0.1 behind a TLS proxy; or set --allow-plain-http on a \
             trusted network",
        )),
        _ => Ok(addresses),
    }
}

impl TlsSettings {
    fn load_tls_config(&self) -> Result<Option<TlsConfig>, CliError> {
        match (self.cert.as_os_str().is_empty(), self.key.as_os_str().is_empty()) {
            (true, true) => Ok(None),
            (false, false) => TlsConfig::load(&self.cert, &self.key)
                .map(Some)
                .map_err(|error| refused!("{error}").with_suggested_fix("set the files with --tls-cert and --tls-key")),
            (false, true) => Err(refused!("the TLS certificate has no private key")
                .with_suggested_fix("set the file of the private key with --tls-key")),
            (true, false) => Err(refused!("the TLS private key has no certificate")
                .with_suggested_fix("set the file of the certificate with --tls-cert")),
        }
    }
}

fn spawn_certificate_reloaders(tls: &TlsConfig, shutdown: &CancellationToken) -> Result<(), CliError> {
    tls.warn_if_key_is_world_readable();
    let mut hangup = signal(SignalKind::hangup()).with_failure_context("could not listen for signals")?;
    tokio::spawn(tls.clone().watch_certificate_files(CERTIFICATE_CHECK_INTERVAL, shutdown.clone()));
    let tls = tls.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let tls = tls.clone();
            if let Err(error) = spawn_blocking(move || tls.reload_certificate_and_log_outcome()).await {
                warn!(%error, "could not reload the TLS certificate");
            }
        }
    });
    Ok(())
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
