//! Prompts the user to confirm destructive commands.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;

use crate::error::{CliError, ResultExt, failed, refused};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct ConfirmationArgs {
    /// Skip the confirmation prompt
    #[arg(long)]
    yes: bool,
}

impl ConfirmationArgs {
    pub(crate) fn should_skip_prompt(&self) -> bool {
        self.yes
    }

    pub(crate) async fn prompt_for_confirmation(&self, action: String) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(refused!("this would {action}; nothing was changed")
                .with_suggested_fix("add --yes to skip the confirmation prompt"));
        }
        output::write_stderr(&format!("This will {action}. Continue? [y/N] "));
        // A blocking read on a runtime thread would delay Ctrl-C handling.
        let input = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let input = input.await.map_err(|error| failed!("{error}"))?;
        let input = input.with_failure_context("could not read from the terminal")?;
        match input.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(refused!("nothing was changed")),
        }
    }
}
