//! Runs the project's development tasks: `cargo xtask TASK`.

mod cargo_tools;
mod compatibility_tables;
mod demo;
mod lint;
mod run_tests;
mod task_executable;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clew_devtools::{DevtoolsError, task_runner};

/// Development tasks of the Clew project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct CliArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Demonstrate Clew on a temporary MariaDB server with blocked sessions, and stop all processes at the end
    Demo {
        /// Keep the database and the Clew server running until you press Ctrl-C
        #[arg(long)]
        keep: bool,
    },
    /// Install missing prerequisites and run all tests against real database servers
    Test {
        /// Run only the compatibility tests on all server releases, and write the results to COMPATIBILITY.md
        #[arg(long, conflicts_with = "nextest")]
        all_servers: bool,
        /// Arguments for `cargo nextest run` (after `--`), for example: cargo xtask test -- -p clew-mysql
        #[arg(last = true, value_name = "NEXTEST ARGUMENTS")]
        nextest: Vec<OsString>,
    },
    /// Benchmark Clew against baseline programs and save the results in bench/results.
    /// Takes an hour on an idle machine
    #[command(disable_help_flag = true)]
    Bench(task_executable::PassthroughArgs),
    /// Run Clew under load, inject faults into its dependencies, and check Clew's guarantees
    #[command(disable_help_flag = true)]
    Faults(task_executable::PassthroughArgs),
    /// Check formatting, lints, import cycles, crate layers, banned words, licenses and documentation links
    Lint,
    /// Download the security advisory database and check all dependencies against it (not part of `lint`)
    Audit,
}

fn main() -> ExitCode {
    task_runner::run(run_dev_task(CliArgs::parse().task))
}

async fn run_dev_task(task: Task) -> Result<ExitCode, DevtoolsError> {
    match task {
        Task::Demo { keep } => return demo::run(keep).await,
        Task::Test { all_servers: true, .. } => run_tests::run_compatibility_tests().await?,
        Task::Test { nextest, .. } => run_tests::run(&nextest).await?,
        Task::Bench(arguments) => return task_executable::BENCH_PROGRAM.build_and_exec_program(arguments).await,
        Task::Faults(arguments) => {
            return task_executable::FAULT_INJECTION_PROGRAM.build_and_exec_program(arguments).await;
        }
        Task::Lint => lint::run().await?,
        Task::Audit => lint::audit_dependencies().await?,
    }
    Ok(ExitCode::SUCCESS)
}
