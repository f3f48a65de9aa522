//! Runs the development tasks of this project: `cargo xtask TASK`.
//! Each task prints its progress and installs missing prerequisites.

mod audit;
mod bench;
mod clew_server;
mod command;
mod demo;
mod error;
mod faults;
mod install;
mod interrupt;
mod lint;
mod page;
mod processes;
mod progress;
mod test;
mod tools;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::DevtoolsError;

/// Development tasks of the Clew project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct CliArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Demonstrate Clew on a private MariaDB server with blocked sessions. Stops all processes at the end
    Demo {
        /// Keep the database and the Clew server running until you press Ctrl-C
        #[arg(long)]
        keep: bool,
    },
    /// Run all tests against real database servers. Installs missing prerequisites
    Test {
        /// Arguments for `cargo nextest run`, such as `-- -p clew-mysql` to run the tests of one crate
        #[arg(last = true, value_name = "NEXTEST ARGUMENTS")]
        nextest: Vec<OsString>,
    },
    /// Benchmark Clew against baseline programs and save the results in bench/results.
    /// Takes an hour on an idle machine
    Bench(bench::BenchArgs),
    /// Inject faults into the dependencies of Clew under load, and check the guarantees of Clew
    Faults(faults::FaultsArgs),
    /// Check formatting, lints, import cycles, crate layers, banned words, licenses and documentation links
    Lint,
    /// Check dependencies against published security advisories. Downloads the advisory database; not part of `lint`
    Audit,
}

fn main() -> ExitCode {
    match run_task(CliArgs::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(DevtoolsError::Interrupted) => ExitCode::from(130),
        Err(error) => {
            progress::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run_task(task: Task) -> Result<(), DevtoolsError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(DevtoolsError::Runtime)?;
    runtime.block_on(async {
        match task {
            Task::Demo { keep } => demo::run(keep).await,
            Task::Test { nextest } => test::run(&nextest).await,
            Task::Bench(arguments) => bench::run(arguments).await,
            Task::Faults(arguments) => faults::run(arguments).await,
            Task::Lint => lint::run().await,
            Task::Audit => audit::run().await,
        }
    })
}
