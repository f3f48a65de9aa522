//! Builds and executes the program of a development task, such as `bench`.
//! The programs of development tasks are separate crates, because they need additional dependencies.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use clap::Args;
use clew_devtools::{DevtoolsError, task_runner, workspace};

/// Command-line arguments for the program that runs the development task.
#[derive(Debug, Args)]
pub(crate) struct PassthroughArgs {
    /// Arguments of the task; use `--help` to list all arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskExecutable {
    package: &'static str,
    name: &'static str,
}

pub(crate) const BENCH_PROGRAM: TaskExecutable = TaskExecutable { package: "clew-bench", name: "bench" };
pub(crate) const FAULT_INJECTION_PROGRAM: TaskExecutable = TaskExecutable { package: "clew-chaos", name: "faults" };

impl TaskExecutable {
    /// Returns only if the build fails, `exec` fails, or the process receives a shutdown signal during the build.
    pub(crate) async fn build_and_exec_program(self, args: PassthroughArgs) -> Result<ExitCode, DevtoolsError> {
        let arguments =
            [&["build", "--package", self.package, "--bin", self.name], &workspace::DEV_BUILD_CARGO_ARGS[..]].concat();
        let program = tokio::select! {
            built = workspace::build_programs("Building the program of the task", &arguments) => {
                workspace::find_built_program(&built?, "bin", self.name)?
            }
            () = task_runner::wait_for_shutdown_signal() => return Ok(ExitCode::from(task_runner::INTERRUPTED_EXIT_STATUS)),
        };
        let cause = std::process::Command::new(&program).args(args.arguments).exec();
        Err(DevtoolsError::Start(program.display().to_string(), cause))
    }
}
