//! The `clew` binary. Each subcommand has a module that parses its arguments and calls the library crates.

mod access_key;
mod audit;
mod cli;
mod collect;
mod command_group;
mod configuration;
mod confirmation;
mod daemon;
mod doctor;
mod domain_command;
mod enterprise_project;
mod error;
mod group;
mod identity_directory;
mod init;
mod instance;
mod kill;
mod limitations;
mod local_audit_origin;
mod locks;
mod logging;
mod master_key;
mod metadata_database;
mod migrate;
mod new_password;
mod node_url;
mod output;
mod password_arguments;
mod policy;
mod project;
mod ps;
mod rule;
mod serve;
mod session_filters;
mod session_table;
mod snapshot;
mod store_args;
mod text_table;
mod time;
mod user;
mod value_parsers;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use clew_mysql::ConnectionRegistry;
use tokio::runtime::Builder;

use crate::cli::{Cli, Command};
use crate::error::{CliError, ResultExt};

fn main() -> ExitCode {
    match parse_command_line().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::write_stderr(&error.message());
            error.exit_code()
        }
    }
}

fn parse_command_line() -> Result<Cli, CliError> {
    let mut matches = Cli::command().get_matches();
    password_arguments::reject_postgres_url_passwords(&matches)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut Cli::command()).exit())
}

fn run(cli: Cli) -> Result<(), CliError> {
    // Servers and workers handle many connections and need worker threads.
    // The other commands wait for one server; additional threads would only add latency.
    let mut runtime = match &cli.command {
        Command::Serve(_) | Command::Worker(_) => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build().with_failure_context("could not start")?;
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Snapshot(arguments) => run_node_command(|registry| snapshot::run(*arguments, registry)).await,
            Command::Ps(arguments) => run_node_command(|registry| ps::run(*arguments, registry)).await,
            Command::Locks(arguments) => run_node_command(|registry| locks::run(*arguments, registry)).await,
            Command::Kill(arguments) => run_node_command(|registry| kill::run(*arguments, registry)).await,
            Command::Doctor(arguments) => run_node_command(|registry| doctor::run(*arguments, registry)).await,
            Command::Init(arguments) => init::run(*arguments).await,
            Command::Migrate(arguments) => migrate::run(*arguments).await,
            Command::MasterKey(arguments) => master_key::run(*arguments).await,
            Command::Metadata(arguments) => run_until_interrupted(metadata_database::run(*arguments)).await,
            Command::Serve(arguments) => serve::run(*arguments).await,
            Command::Worker(arguments) => worker::run(*arguments).await,
            Command::Domain(arguments) => run_until_interrupted(domain_command::run(*arguments)).await,
            Command::Project(arguments) => run_until_interrupted(project::run(*arguments)).await,
            Command::EnterpriseProject(arguments) => run_until_interrupted(enterprise_project::run(*arguments)).await,
            Command::User(arguments) => run_until_interrupted(user::run(*arguments)).await,
            Command::Group(arguments) => run_until_interrupted(group::run(*arguments)).await,
            Command::Key(arguments) => run_until_interrupted(access_key::run(*arguments)).await,
            Command::Policy(arguments) => run_until_interrupted(policy::run(*arguments)).await,
            Command::Rule(arguments) => run_until_interrupted(rule::run(*arguments)).await,
            Command::Audit(arguments) => run_until_interrupted(audit::run(*arguments)).await,
            Command::Instance(arguments) => run_node_command(|registry| instance::run(*arguments, registry)).await,
            Command::Collect(arguments) => run_until_interrupted(collect::run(*arguments)).await,
            Command::Openapi => output::write_stdout(&format!("{}\n", clew_api::build_openapi_json())),
            Command::Completions { shell } => cli::print_completion_script(shell),
        }
    });
    // A blocked prompt or write must not delay process exit.
    runtime.shutdown_background();
    outcome
}

/// Limits the time for killing statements that still run on nodes when the process exits.
const PENDING_KILLS_TIMEOUT: Duration = Duration::from_secs(3);

async fn run_node_command<F>(run: impl FnOnce(ConnectionRegistry) -> F) -> Result<(), CliError>
where
    F: Future<Output = Result<(), CliError>>,
{
    let registry = ConnectionRegistry::default();
    let outcome = run_until_interrupted(Box::pin(run(registry.clone()))).await;
    registry.wait_for_pending_kills(PENDING_KILLS_TIMEOUT).await;
    outcome
}

async fn run_until_interrupted(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted),
    }
}
