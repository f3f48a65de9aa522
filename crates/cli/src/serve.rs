//! `clew serve`

mod listening;
mod results;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use clew_api::{Listener, Metrics, NodeReads, Parts, RateLimits, Service};
use clew_store::Store;
use clew_tasks::{Collections, IntelligentKills, KillTasks, Kills};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::configuration::Configuration;
use crate::error::CliError;
use crate::logs;

/// Serve the API, with a worker inside.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Folder that clew init made [default: ./clew-data]
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// PostgreSQL database that keeps the metadata instead of the folder, such as postgres://user@host/database?sslmode=verify-full. Its
    /// password belongs into PGPASSWORD or ~/.pgpass: others see what is typed. The master key and the results stay in the folder
    #[arg(long, value_name = "URL", env = "CLEW_METADATA", hide_env_values = true)]
    metadata: Option<String>,
    /// Address and port to listen on; port 0 takes any free one [default: 127.0.0.1:8407]
    #[arg(long, value_name = "ADDRESS", env = "CLEW_LISTEN")]
    listen: Option<String>,
    /// Where results are kept, s3://BUCKET/PREFIX [default: in the data directory]
    #[arg(long, value_name = "URL", env = "CLEW_RESULTS")]
    results: Option<String>,
    /// Configuration file (TOML); flags and environment win over it
    #[arg(long, value_name = "FILE", env = "CLEW_CONFIG")]
    config: Option<PathBuf>,
    /// Certificate for TLS (PEM), with those that vouch for it behind it; taken anew when the file changes
    #[arg(long, value_name = "FILE", env = "CLEW_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE", env = "CLEW_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS on an address that others can reach: passwords and statements can be read on the way
    #[arg(long, env = "CLEW_ALLOW_PLAIN_HTTP", value_parser = FalseyValueParser::new())]
    allow_plain_http: bool,
    /// What to log: error, warn, info, debug, or a list such as info,clew_tasks=debug
    #[arg(long, value_name = "FILTER", env = "CLEW_LOG", default_value = "info")]
    log: String,
}

const AFTER_HELP: &str = "\
Examples:
  clew init && clew serve
  CLEW_METADATA=postgres://clew@db.example.com/clew?sslmode=verify-full clew serve
  clew serve --data-dir /var/lib/clew --listen 0.0.0.0:8407 --tls-cert clew.pem --tls-key clew.key --log warn

The first line on stdout is the address. SIGINT and SIGTERM stop it in order: no new work, running collections finish or are handed back.
With TLS, a certificate that is replaced is taken within 5 seconds, and at once on SIGHUP; one that cannot be used is not taken.
Behind a proxy, name it in http.trusted_proxies: else all of its clients count as one.

Results on S3 take AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and AWS_ENDPOINT_URL where S3 is not Amazon's. Whether Clew
can write, read, list and remove there is tried at the start. The bucket and prefix are for one Clew alone.

A configuration file with every key at its default:
  data_dir = \"./clew-data\"
  metadata = \"\"                # a PostgreSQL database; \"\": in data_dir
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
  [results]
  location = \"\"                # such as \"s3://bucket/prefix\"; \"\": in the data directory
  retention = \"24h\"
  formula_guard = true
  [audit]
  retention = \"8760h\"         # a year
  [kills]
  protected_accounts = []      # such as \"billing\": never killed, as the servers' own and those of cloud vendors never are
  [http]
  connections = 1024
  connections_per_peer = 256   # 0: any number
  trusted_proxies = []         # such as \"10.0.0.0/8\": they may say whom they speak for (X-Forwarded-For, X-Forwarded-Proto)
  header_timeout = \"10s\"
  body_timeout = \"30s\"
  [limits]                     # 0: no limit
  principal_per_second = 100   # requests of a user
  principal_burst = 200
  peer_per_second = 10         # sign-ins of an address, and as many failed ones
  peer_burst = 30
  [tls]                        # \"\": none
  cert = \"\"
  key = \"\"";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let mut configuration = Configuration::read(arguments.config.as_deref())?;
    configuration.data_dir = arguments.data_dir.unwrap_or(configuration.data_dir);
    configuration.metadata = arguments.metadata.unwrap_or(configuration.metadata);
    configuration.listen = arguments.listen.unwrap_or(configuration.listen);
    configuration.results.location = arguments.results.unwrap_or(configuration.results.location);
    configuration.allow_plain_http |= arguments.allow_plain_http;
    configuration.tls.cert = arguments.tls_cert.unwrap_or(configuration.tls.cert);
    configuration.tls.key = arguments.tls_key.unwrap_or(configuration.tls.key);
    let (task_settings, api_settings) = (configuration.task_settings()?, configuration.api_settings()?);
    let protected = configuration.protected_accounts()?;
    let tls = configuration.tls.load()?;
    let s3 = results::s3_settings(&configuration.results.location)?;
    let addresses = listening::addresses(&configuration, tls.is_some()).await?;
    logs::start(&arguments.log)?;
    allow_open_files();

    let store = results::keep(Store::open(configuration.location()?).await?, s3).await?;
    let lock = store.lock_for_serving()?;
    store.end_all_kill_leases(&lock).await?;
    let taken_over = store.end_all_leases(&lock).await?;
    if taken_over > 0 {
        info!(tasks.taken_over = taken_over, "taking over collections of a server that is gone");
    }
    let listener = listening::listen(&configuration.listen, &addresses).await?;
    let address = listener.local_addr().map_err(|error| CliError::failed(error.to_string()))?;

    let metrics = Metrics::default();
    let nodes = NodeReads::new(task_settings.limits);
    let kills = Kills::new(store.clone(), protected);
    let kill_tasks = KillTasks::new(store.clone(), kills.clone(), &task_settings, Arc::new(metrics.clone()));
    let intelligent_kills = IntelligentKills::new(store.clone(), kills.clone(), &task_settings);
    let collections = Collections::new(store.clone(), task_settings, Arc::new(metrics.clone()));
    let limits = RateLimits::new(configuration.limits.rates(), metrics.clone());
    let service = Service::from(Parts {
        store,
        limits,
        collections: collections.clone(),
        nodes,
        kills,
        intelligent_kills: intelligent_kills.clone(),
        settings: api_settings,
        metrics,
    });
    let shutdown = stop_on_signals()?;
    if let Some(tls) = &tls {
        listening::keep_certificate_fresh(tls, &shutdown)?;
    }
    let worker = tokio::spawn(collections.run(shutdown.clone()));
    let killer = tokio::spawn(kill_tasks.run(shutdown.clone()));
    let intelligent = tokio::spawn(intelligent_kills.run(shutdown.clone()));
    let scheme = if tls.is_some() { "https" } else { "http" };
    crate::output::to_stdout(&format!("{scheme}://{address}\n"))?;
    info!(clew.address = %address, clew.data_dir = %configuration.data_dir.display(), "serving");

    let listener = match tls {
        Some(tls) => Listener::with_tls(listener, tls),
        None => listener.into(),
    };
    let served = clew_api::serve(service, listener, shutdown.clone()).await;
    shutdown.cancel();
    for worker in [worker, killer, intelligent] {
        worker.await.map_err(|error| CliError::failed(format!("the worker failed: {error}")))?;
    }
    info!("stopped");
    served.map_err(|error| CliError::failed(error.to_string()))
}

/// Takes as many open files as the system lets this process have: connections of callers and to nodes, results, the database.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        warn!(%error, "could not raise the limit of open files");
    }
}

/// A token that the first SIGINT or SIGTERM cancels; the second ends the process. Both are listened to once this returns: whoever has
/// read the address may stop the service.
fn stop_on_signals() -> Result<CancellationToken, CliError> {
    let listen =
        |kind| signal(kind).map_err(|error| CliError::failed(format!("could not listen for signals: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            info!("stopping");
            stop.cancel();
        }
    });
    Ok(shutdown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{known_keys, parse};

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
