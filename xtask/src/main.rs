//! The project's own commands, run as `cargo xtask …`: they install what they need and say what they do.

mod advisories;
mod bench;
mod command;
mod demo;
mod error;
mod faults;
mod interrupt;
mod lint;
mod page;
mod processes;
mod servers;
mod service;
mod steps;
mod test;
mod tools;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::XtaskError;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show Clew at work on a private MariaDB with stuck sessions. Leaves nothing running
    Demo {
        /// Keep the database and the service up until Ctrl-C, to try commands on them
        #[arg(long)]
        keep: bool,
    },
    /// Run every test, on real servers. Installs what is missing
    Test {
        /// Run only some: arguments for `cargo nextest run`, such as `-- -p clew-mysql`
        #[arg(last = true, value_name = "NEXTEST ARGUMENTS")]
        nextest: Vec<OsString>,
    },
    /// Measure Clew beside its peers, and keep the results in bench/results. Takes an hour, and a machine to itself
    Bench(bench::Arguments),
    /// Break what Clew stands on while a client runs, and check every promise
    Faults(faults::Arguments),
    /// Check form, lints, licences, dependencies and the documentation's links
    Lint,
    /// Check dependencies against published security advisories. Downloads their database: for a schedule, not a part of the gate
    Audit,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(XtaskError::Interrupted) => ExitCode::from(130),
        Err(error) => {
            steps::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), XtaskError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(XtaskError::Runtime)?;
    runtime.block_on(async {
        match task {
            Task::Demo { keep } => demo::run(keep).await,
            Task::Test { nextest } => test::run(&nextest).await,
            Task::Bench(arguments) => bench::run(arguments).await,
            Task::Faults(arguments) => faults::run(arguments).await,
            Task::Lint => lint::run().await,
            Task::Audit => advisories::run().await,
        }
    })
}
