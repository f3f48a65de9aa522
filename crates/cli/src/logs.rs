//! Logs: text on a terminal, JSON otherwise; always on stderr.

mod line;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::error::CliError;
use crate::output::Sanitizer;
use line::JsonLine;

/// Starts logging. `filter` is a level or a list of `target=level`.
pub(crate) fn start(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| CliError::refused(format!("log filter {filter:?} cannot be read: {error}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        // Without colours: a field may hold a message of a server.
        let writer = || Sanitizer::new(std::io::stderr(), false);
        logs.with_target(false).with_ansi(false).with_writer(writer).init();
    } else {
        logs.json().event_format(JsonLine).init();
    }
    Ok(())
}
