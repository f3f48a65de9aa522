//! Builds the program of a development task, such as `bench`, and replaces the current process with the program.
//! Each task program is a separate crate, because it needs dependencies that `devtools` does not need.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use clap::Args;
use clew_devtools::{DevtoolsError, task, workspace};

/// Command-line arguments that are passed on to the program of the task.
#[derive(Debug, Args)]
pub(crate) struct DevTaskProgramArgs {
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
    /// Builds the program, then replaces this process with the program (`exec`).
    /// Returns only if the build or `exec` fails, or if a signal arrives during the build.
    pub(crate) async fn build_and_exec_program(
        self,
        program_args: DevTaskProgramArgs,
    ) -> Result<ExitCode, DevtoolsError> {
        let arguments =
            [&["build", "--package", self.package, "--bin", self.name], &workspace::DEV_BUILD_CARGO_ARGS[..]].concat();
        let program = tokio::select! {
            built = workspace::build_programs("Building the program of the task", &arguments) => {
                workspace::find_built_program(&built?, "bin", self.name)?
            }
            () = task::wait_for_shutdown_signal() => return Ok(ExitCode::from(task::INTERRUPTED_EXIT_STATUS)),
        };
        let cause = std::process::Command::new(&program).args(program_args.arguments).exec();
        Err(DevtoolsError::Start(program.display().to_string(), cause))
    }
}
