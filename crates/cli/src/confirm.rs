//! A question before something is removed.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;

use crate::error::CliError;
use crate::output;

/// Whether to ask.
#[derive(Debug, Args)]
pub(crate) struct Confirmation {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Whether nobody is to be asked.
    pub(crate) fn is_given(&self) -> bool {
        self.yes
    }

    /// Asks on the terminal whether to do it. Without a terminal it is refused: nobody could answer.
    pub(crate) async fn ask(&self, what: String) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(CliError::refused(format!("this would {what}; nothing was changed"))
                .with_hint("add --yes where nobody can be asked"));
        }
        output::to_stderr(&format!("This will {what}. Go on? [y/N] "));
        // Off the runtime's own threads, so that Ctrl-C is heard.
        let typed = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let typed = typed.await.map_err(|error| CliError::failed(error.to_string()))?;
        let typed = typed.map_err(|error| CliError::failed(format!("could not read from the terminal: {error}")))?;
        match typed.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(CliError::refused("nothing was changed")),
        }
    }
}
