//! `cargo xtask faults`: injects one fault after another into a Clew cluster under load.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use clew_chaos::{ChaosError, Fault, FaultInjectionOptions};
use clew_devtools::clew_server::create_temporary_directory;
use clew_devtools::progress::{self, print_line};
use clew_devtools::{DevtoolsError, install, task_runner, workspace};

/// Run Clew under load, inject faults into its dependencies, and check Clew's guarantees
#[derive(Debug, Parser)]
#[command(name = "cargo xtask faults", bin_name = "cargo xtask faults", max_term_width = 110)]
struct FaultInjectionArgs {
    /// Duration of each fault type, in minutes
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Seed for random choices of times, processes and requests [default: the current time]
    #[arg(long)]
    seed: Option<u64>,
    /// Fault types: kill, postgresql-restart, postgresql-pause, s3-stop, s3-slow, network-partition, clock, disk-full
    #[arg(long, value_name = "FAULT", num_args = 1.., value_parser = parse_fault)]
    only: Vec<Fault>,
    /// Number of collections to request per second
    #[arg(long, default_value_t = 8.0)]
    rate: f64,
    /// Path of the clew binary to test [default: a binary built with the test profile]
    #[arg(long, value_name = "PROGRAM")]
    clew: Option<PathBuf>,
}

fn parse_fault(name: &str) -> Result<Fault, String> {
    Fault::from_name(name).ok_or_else(|| format!("expected one of: {}", Fault::NAMES.join(" ")))
}

fn main() -> ExitCode {
    let arguments = FaultInjectionArgs::parse();
    task_runner::run(task_runner::run_until_shutdown_signal(inject_faults(arguments)))
}

async fn inject_faults(arguments: FaultInjectionArgs) -> Result<(), ChaosError> {
    progress::print_heading("Prerequisites of the fault injection");
    install::install_test_prerequisites().await?;
    let clew = match arguments.clew {
        Some(clew) => clew,
        None => workspace::build_clew_with_cargo_profile("dev").await?,
    };
    let logs = create_temporary_directory("clew-chaos-")?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let faults = if arguments.only.is_empty() { Fault::ALL.into() } else { arguments.only };
    progress::print_heading("Fault injection");
    let options = FaultInjectionOptions {
        clew,
        logs: logs.path().to_owned(),
        seed: arguments.seed.unwrap_or(since_epoch.as_secs()),
        faults,
        duration_per_fault: Duration::from_secs_f64(arguments.minutes.clamp(0.01, 24.0 * 60.0) * 60.0),
        requests_per_second: arguments.rate.clamp(0.1, 1_000.0),
        on_progress: print_line,
    };
    let report = clew_chaos::run(options).await;
    // The log files of a failed run are kept for analysis.
    if report.as_ref().map_or(true, |report| !report.violations().is_empty()) {
        print_line(&format!("Log files: {}", logs.keep().display()));
    }
    let report = report?;
    print_line(&report.to_string());
    match report.violations().len() {
        0 => Ok(()),
        violations => Err(DevtoolsError::Failed(format!("{violations} invariants were violated")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_unknown_names_list_all_faults() {
        for fault in Fault::ALL {
            assert_eq!(parse_fault(fault.name()), Ok(fault));
        }
        assert!(parse_fault("flood").unwrap_err().contains("s3-slow"));
    }
}
