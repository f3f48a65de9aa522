//! Writes log lines to stderr, as text if stderr is a terminal and otherwise as JSON.

mod json_format;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::error::{CliError, ResultExt};
use crate::output::TerminalSanitizer;
use json_format::JsonLogFormat;

/// `filter` is a log level or a comma-separated list of `target=level` pairs.
pub(crate) fn init_logging(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter).map_err_to_refused(format_args!("invalid log filter {filter:?}"))?;
    // Reporting a write error to stderr would panic if stderr is a closed pipe, for example after `clew serve 2>&1 | head`.
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        // A field can contain a message from a server, so escape sequences are removed and ANSI colors are disabled.
        let writer = || TerminalSanitizer::new(std::io::stderr(), false);
        logs.with_target(false).with_ansi(false).with_writer(writer).init();
    } else {
        logs.fmt_fields(JsonLogFormat).event_format(JsonLogFormat).init();
    }
    Ok(())
}
