//! `clew completions SHELL`: prints a shell completion script.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::CliError;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew completions bash > /etc/bash_completion.d/clew")]
pub(crate) struct CompletionsArgs {
    /// Target shell
    shell: Shell,
}

/// `clew` is the clap definition of the program, including all subcommands.
pub(crate) fn run(arguments: &CompletionsArgs, mut clew: Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut clew, "clew", &mut script);
    crate::output::write_stdout(&String::from_utf8_lossy(&script))
}
