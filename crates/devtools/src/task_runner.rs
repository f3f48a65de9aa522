//! Runs a development task and stops it on SIGINT or SIGTERM.

use std::fmt::Display;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::error::DevtoolsError;
use crate::progress;

/// Exit status of a task that was stopped by SIGINT or SIGTERM.
/// Shells conventionally report the exit status 130 (128 + 2) for a program that SIGINT terminated.
pub const INTERRUPTED_EXIT_STATUS: u8 = 130;

/// Runs a task on a new tokio runtime. If the task fails, prints the error.
pub fn run<E: Display>(task: impl Future<Output = Result<ExitCode, E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            progress::print_error(&DevtoolsError::Runtime(error));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(task).unwrap_or_else(|error| {
        progress::print_error(&error);
        ExitCode::FAILURE
    })
}

/// Runs a task to completion. On SIGINT or SIGTERM, drops the task, which kills its child processes.
pub async fn run_until_shutdown_signal<E>(task: impl Future<Output = Result<(), E>>) -> Result<ExitCode, E> {
    tokio::select! {
        result = task => result.map(|()| ExitCode::SUCCESS),
        () = wait_for_shutdown_signal() => Ok(ExitCode::from(INTERRUPTED_EXIT_STATUS)),
    }
}

/// Waits until this process receives SIGINT (Ctrl-C) or SIGTERM.
pub async fn wait_for_shutdown_signal() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => if interrupt.is_err() { std::future::pending().await },
        () = terminated => {}
    }
}
