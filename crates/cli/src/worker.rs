//! `clew worker`: runs a worker process.

use clap::Args;
use clew_api::ApiSettings;
use clew_http::AllowedHosts;
use tokio::net::TcpListener;
use tracing::info;

use crate::daemon::{self, Daemon, listen_for_shutdown_signals, require_shared_stores};
use crate::error::{CliError, failed};
use crate::output;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    daemon: daemon::DaemonArgs,
    /// Address and port for /metrics, /healthz and /readyz; port 0 selects a free port [default: no listener]
    #[arg(long, value_name = "ADDRESS", env = "CLEW_WORKER_LISTEN")]
    listen: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  clew worker --config /etc/clew/clew.toml --listen 127.0.0.1:9407
  CLEW_METADATA_URL=postgres://clew@db.example.com/clew CLEW_RESULTS=s3://clew/results clew worker
  clew worker --config /etc/clew/clew.toml --zone dmz --zone dmz-2

A worker requires the same master key as the servers, and shared stores for metadata and results. Any number of workers share the work.
If a worker crashes, another worker takes over its collections when the leases expire after 10 seconds.

A node with a zone is read only by workers in that zone. A node without a zone is read by any worker.

The worker prints \"working\" on stdout when it is ready, with its address if it listens. SIGINT and SIGTERM shut down gracefully: no new
work starts, and running collections finish or return to the queue. The configuration file is the same as for clew serve; HTTP server
settings have no effect.";

pub(crate) async fn run(mut arguments: WorkerArgs) -> Result<(), CliError> {
    let configuration = arguments.daemon.load_configuration()?;
    require_shared_stores(&configuration)?;
    let api =
        ApiSettings { operations_only: true, allowed_hosts: AllowedHosts::default(), ..configuration.api_settings()? };
    let daemon = Daemon::initialize(&arguments.daemon, &configuration).await?;
    let listener = match &arguments.listen {
        None => None,
        Some(address) => Some(bind_listener(address).await?),
    };
    let shutdown = listen_for_shutdown_signals()?;
    let master_key_watch = daemon.start_background_tasks(&shutdown).await;
    let worker_tasks = daemon.start_worker(&shutdown);
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    output::write_stdout(&address.map_or("working\n".to_owned(), |address| format!("working http://{address}\n")))?;
    info!("worker started");
    let result = match listener {
        None => Ok(()),
        Some(listener) => {
            let service = daemon.build_http_service(&configuration, api);
            let served = clew_api::serve(service, listener, shutdown.clone()).await;
            shutdown.cancel();
            served
        }
    };
    daemon.join_worker_tasks(worker_tasks).await?;
    info!("worker stopped");
    result.map_err(|error| CliError::failed_command_error(error.to_string()))?;
    master_key_watch.await.unwrap_or(Ok(()))
}

async fn bind_listener(address: &str) -> Result<TcpListener, CliError> {
    let failed = |error| {
        failed!("could not listen on {address}: {error}")
            .with_suggested_fix("select another address with --listen, or omit --listen")
    };
    TcpListener::bind(address).await.map_err(failed)
}
