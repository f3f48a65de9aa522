//! `clew worker`

use clap::Args;
use clew_api::{AllowedHosts, ApiSettings};
use tokio::net::TcpListener;
use tracing::info;

use crate::error::CliError;
use crate::output;
use crate::process::{self, Process, must_be_shared, stop_on_signals};

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    process: process::Options,
    /// Address and port for /metrics, /healthz and /readyz, and nothing else; port 0 takes any free one [default: none]
    #[arg(long, value_name = "ADDRESS", env = "CLEW_WORKER_LISTEN")]
    listen: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  clew worker --config /etc/clew/clew.toml --listen 127.0.0.1:9407
  CLEW_METADATA=postgres://clew@db.example.com/clew CLEW_RESULTS=s3://clew/results clew worker
  clew worker --config /etc/clew/clew.toml --zone dmz --zone dmz-2

A worker takes metadata and results that the servers reach too, and the same master key. Any number of them share the work; what one had that
ended without a word is taken up by another when its lease lapses, after 10 seconds.

A node that was added with a zone is read only by workers of that zone; any worker reads those without.

It says \"working\" on stdout, with the address if it has one, when it has begun. SIGINT and SIGTERM stop it in order: no new work, running
collections finish or are handed back. The configuration file is that of clew serve; what is only the server's is not used.";

pub(crate) async fn run(mut arguments: Arguments) -> Result<(), CliError> {
    let configuration = arguments.process.configuration()?;
    must_be_shared(&configuration)?;
    let api =
        ApiSettings { operations_only: true, allowed_hosts: AllowedHosts::default(), ..configuration.api_settings()? };
    let process = Process::open(&arguments.process, &configuration).await?;
    let listener = match &arguments.listen {
        None => None,
        Some(address) => Some(listen(address).await?),
    };
    let shutdown = stop_on_signals()?;
    process.listen(&shutdown);
    let key = process.watch_key(&shutdown);
    process.watch_audit(&shutdown).await;
    let work = process.work(&shutdown);
    let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    output::to_stdout(&address.map_or("working\n".to_owned(), |address| format!("working http://{address}\n")))?;
    info!("working");
    let served = match listener {
        None => Ok(()),
        Some(listener) => clew_api::serve(process.service(&configuration, api), listener, shutdown.clone()).await,
    };
    served.map_err(|error| CliError::failed(error.to_string()))?;
    work.ended().await?;
    info!("stopped");
    key.await.unwrap_or(Ok(()))
}

async fn listen(address: &str) -> Result<TcpListener, CliError> {
    let failed = |error| {
        CliError::failed(format!("could not listen on {address}: {error}"))
            .with_hint("choose another address with --listen, or none")
    };
    TcpListener::bind(address).await.map_err(failed)
}
