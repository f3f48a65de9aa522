//! `clew serve`

mod listening;

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use clew_api::Listener;
use tracing::info;

use crate::error::CliError;
use crate::process::{self, Process, Work, must_be_shared, stop_on_signals};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    process: process::Options,
    /// Address and port to listen on; port 0 takes any free one [default: 127.0.0.1:8407]
    #[arg(long, value_name = "ADDRESS", env = "CLEW_LISTEN")]
    listen: Option<String>,
    /// Certificate for TLS (PEM), with those that vouch for it behind it; taken anew when the file changes
    #[arg(long, value_name = "FILE", env = "CLEW_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE", env = "CLEW_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS on an address that others can reach: passwords and statements can be read on the way
    #[arg(long, env = "CLEW_ALLOW_PLAIN_HTTP", value_parser = FalseyValueParser::new())]
    allow_plain_http: bool,
    /// Leave the work to others: collections, intelligent kills and kill tasks wait for a clew worker
    #[arg(long, env = "CLEW_NO_WORKER", value_parser = FalseyValueParser::new())]
    no_worker: bool,
}

const AFTER_HELP: &str = "\
Examples:
  clew init && clew serve
  CLEW_METADATA=postgres://clew@db.example.com/clew?sslmode=verify-full clew serve
  clew serve --no-worker --config /etc/clew/clew.toml      # beside clew worker, on PostgreSQL and S3
  clew serve --data-dir /var/lib/clew --listen 0.0.0.0:8407 --tls-cert clew.pem --tls-key clew.key --log warn

The first line on stdout is the address. SIGINT and SIGTERM stop it in order: no new work, running collections finish or are handed back.
With TLS, a certificate that is replaced is taken within 5 seconds, and at once on SIGHUP; one that cannot be used is not taken.
Behind a proxy, name it in http.trusted_proxies: else all of its clients count as one.

Results on S3 take AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and AWS_ENDPOINT_URL where S3 is not Amazon's. Whether Clew
can write, read, list and remove there is tried at the start. The bucket and prefix are for one Clew alone.

A configuration file with every key at its default:
  data_dir = \"./clew-data\"
  metadata = \"\"                # a PostgreSQL database; \"\": in data_dir
  zones = []                   # such as \"dmz\": reads nodes of these zones
  listen = \"127.0.0.1:8407\"
  allow_plain_http = false
  [collections]
  concurrency = 64             # at work at once
  waiting = 256                # besides, as long as their nodes are silent
  per_node = 1
  queue_per_node = 32
  [nodes]
  timeout = \"10s\"
  connect_timeout = \"5s\"
  max_bytes = 1073741824       # of one read of a node
  [results]
  location = \"\"                # such as \"s3://bucket/prefix\"
  retention = \"24h\"
  formula_guard = true
  [audit]
  retention = \"8760h\"         # a year
  [kills]
  protected_accounts = []      # such as \"billing\": never killed
  [http]
  connections = 1024
  reserved_connections = 16    # besides, for /healthz, /readyz and /metrics alone
  connections_per_peer = 256   # 0: any number
  trusted_proxies = []         # such as \"10.0.0.0/8\": X-Forwarded-… counts
  allowed_hosts = []           # such as \"clew.example.com\"; []: any
  hsts = true                  # Strict-Transport-Security over TLS
  header_timeout = \"10s\"
  body_timeout = \"30s\"
  [limits]                     # 0: no limit
  principal_per_second = 100   # requests of a user
  principal_burst = 200
  peer_per_second = 10         # sign-ins of an address, and as many failed ones
  peer_burst = 30
  streams_per_principal = 32   # live lists that a user watches at once
  long_polls_per_principal = 128 # waiting requests of a user
  [tls]                        # \"\": none
  cert = \"\"
  key = \"\"";

pub(crate) async fn run(mut arguments: Arguments) -> Result<(), CliError> {
    let mut configuration = arguments.process.configuration()?;
    configuration.listen = arguments.listen.unwrap_or(configuration.listen);
    configuration.allow_plain_http |= arguments.allow_plain_http;
    configuration.tls.cert = arguments.tls_cert.unwrap_or(configuration.tls.cert);
    configuration.tls.key = arguments.tls_key.unwrap_or(configuration.tls.key);
    if arguments.no_worker {
        must_be_shared(&configuration)?;
    }
    let api_settings = configuration.api_settings()?;
    let tls = configuration.tls.load()?;
    let addresses = listening::addresses(&configuration, tls.is_some()).await?;
    let process = Process::open(&arguments.process, &configuration).await?;
    let listener = listening::listen(&configuration.listen, &addresses).await?;
    let address = listener.local_addr().map_err(|error| CliError::failed(error.to_string()))?;
    let service = process.service(&configuration, api_settings);
    let shutdown = stop_on_signals()?;
    if let Some(tls) = &tls {
        listening::keep_certificate_fresh(tls, &shutdown)?;
    }
    process.listen(&shutdown);
    let key = process.watch_key(&shutdown);
    process.watch_audit(&shutdown).await;
    let work = if arguments.no_worker { Work::default() } else { process.work(&shutdown) };
    let scheme = if tls.is_some() { "https" } else { "http" };
    crate::output::to_stdout(&format!("{scheme}://{address}\n"))?;
    info!(clew.address = %address, clew.data_dir = %configuration.data_dir.display(), "serving");

    let listener = match tls {
        Some(tls) => Listener::with_tls(listener, tls),
        None => listener.into(),
    };
    let served = clew_api::serve(service, listener, shutdown.clone()).await;
    shutdown.cancel();
    work.ended().await?;
    info!("stopped");
    served.map_err(|error| CliError::failed(error.to_string()))?;
    key.await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Configuration, known_keys, parse};

    #[test]
    fn the_help_shows_every_key_at_its_default() {
        let (_, file) = AFTER_HELP.split_once("at its default:\n").unwrap();
        assert_eq!(parse(file).unwrap(), Configuration::default());
        let shown: toml::Table = file.parse().unwrap();
        for key in known_keys() {
            let found = match key.split_once('.') {
                Some((section, key)) => shown[section].get(key),
                None => shown.get(&key),
            };
            assert!(found.is_some(), "{key}");
        }
    }
}
