//! `clew worker`: runs a worker process.

use clap::Args;
use clew_api::ApiSettings;
use clew_http::AllowedHosts;
use tracing::info;

use crate::daemon::{self, Daemon, bind_listener, listen_for_shutdown_signals, require_shared_stores};
use crate::error::CliError;
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
    let bound = match &arguments.listen {
        None => None,
        Some(listen) => Some(
            bind_listener(listen, listen)
                .await
                .map_err(|error| error.with_suggested_fix("select another address with --listen, or omit --listen"))?,
        ),
    };
    let shutdown = listen_for_shutdown_signals()?;
    let tasks = daemon.start_tasks(true, &shutdown).await;
    let address = bound.as_ref().map_or(String::new(), |(_, address)| format!(" http://{address}"));
    output::write_stdout(&format!("working{address}\n"))?;
    info!("worker started");
    let result = match bound {
        None => Ok(()),
        Some((listener, _)) => {
            let service = daemon.build_http_service(&configuration, api);
            let served = clew_api::serve(service, listener, shutdown.clone()).await;
            shutdown.cancel();
            served
        }
    };
    daemon.join_tasks("worker", tasks, result).await
}
