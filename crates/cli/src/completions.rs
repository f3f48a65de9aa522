//! `clew completions SHELL`

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::CliError;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  clew completions bash > /etc/bash_completion.d/clew")]
pub(crate) struct Arguments {
    /// For which shell
    shell: Shell,
}

/// `clew` is the whole command line.
pub(crate) fn run(arguments: &Arguments, mut clew: Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut clew, "clew", &mut script);
    crate::output::to_stdout(&String::from_utf8_lossy(&script))
}
