//! `clew serve`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clew_api::{Metrics, RateLimits, Rates, Service};
use clew_store::{Store, StoreError};
use clew_tasks::Collections;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::configuration::{Configuration, positive};
use crate::error::CliError;
use crate::logs;

/// Serve the API, with a worker inside.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Folder that clew init made [default: ./clew-data]
    #[arg(long, value_name = "DIR", env = "CLEW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes any free one [default: 127.0.0.1:8407]
    #[arg(long, value_name = "ADDRESS", env = "CLEW_LISTEN")]
    listen: Option<String>,
    /// Configuration file (TOML); flags and environment win over it
    #[arg(long, value_name = "FILE", env = "CLEW_CONFIG")]
    config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, or a list such as info,clew_tasks=debug
    #[arg(long, value_name = "FILTER", env = "CLEW_LOG", default_value = "info")]
    log: String,
}

const AFTER_HELP: &str = "\
Examples:
  clew init && clew serve
  clew serve --data-dir /var/lib/clew --listen 0.0.0.0:8407 --log warn

The first line on stdout is the address. SIGINT and SIGTERM stop it in order: no new work, running collections finish or are handed back.

A configuration file with every key at its default:
  data_dir = \"./clew-data\"
  listen = \"127.0.0.1:8407\"
  [collections]
  concurrency = 64
  per_node = 2
  queue_per_node = 32
  [nodes]
  timeout = \"10s\"
  connect_timeout = \"5s\"
  [results]
  retention = \"24h\"
  formula_guard = true
  [http]
  connections = 1024
  header_timeout = \"10s\"";

pub(crate) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let mut configuration = Configuration::read(arguments.config.as_deref())?;
    configuration.data_dir = arguments.data_dir.unwrap_or(configuration.data_dir);
    configuration.listen = arguments.listen.unwrap_or(configuration.listen);
    let settings = configuration.task_settings()?;
    logs::start(&arguments.log)?;

    let store = Store::open(&configuration.data_dir).await.map_err(explain)?;
    let lock = store.lock_for_serving().map_err(explain)?;
    let taken_over = store.end_all_leases(&lock).await.map_err(explain)?;
    if taken_over > 0 {
        info!(tasks.taken_over = taken_over, "taking over collections of a server that is gone");
    }
    let listener = TcpListener::bind(&configuration.listen).await.map_err(|error| {
        CliError::failed(format!("could not listen on {}: {error}", configuration.listen))
            .with_hint("choose another address with --listen")
    })?;
    let address = listener.local_addr().map_err(|error| CliError::failed(error.to_string()))?;

    let metrics = Metrics::default();
    let collections = Collections::new(store.clone(), settings, Arc::new(metrics.clone()));
    let limits = RateLimits::new(Rates::default(), metrics.clone());
    let service = Service {
        store,
        limits,
        collections: collections.clone(),
        settings: clew_api::ApiSettings {
            connections: configuration.http.connections,
            header_read: positive("http.header_timeout", configuration.http.header_timeout)?,
            ..clew_api::ApiSettings::default()
        },
        metrics,
    };
    let shutdown = stop_on_signals()?;
    let worker = tokio::spawn(collections.run(shutdown.clone()));
    crate::output::to_stdout(&format!("http://{address}\n"))?;
    info!(clew.address = %address, clew.data_dir = %configuration.data_dir.display(), "serving");

    let served = clew_api::serve(service, listener, shutdown.clone()).await;
    shutdown.cancel();
    worker.await.map_err(|error| CliError::failed(format!("the worker failed: {error}")))?;
    info!("stopped");
    served.map_err(|error| CliError::failed(error.to_string()))
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

/// What to do about a store that cannot be served.
pub(crate) fn explain(error: StoreError) -> CliError {
    match error {
        StoreError::NotInitialised { .. } => CliError::refused(error.to_string())
            .with_hint("make it with clew init, or name another one with --data-dir"),
        StoreError::AlreadyServing { .. } => CliError::refused(error.to_string())
            .with_hint("stop the other clew serve, or use another folder with --data-dir"),
        error => CliError::failed(error.to_string()),
    }
}
