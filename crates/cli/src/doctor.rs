//! `clew doctor URL`: checks a database account's privileges.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use clew_diagnose::terminal::bytes_to_single_line;
use clew_mysql::{ConnectionRegistry, NodeDiagnosis, diagnose_node};

use crate::error::CliError;
use crate::node_url::NodeConnectionArgs;
use crate::output;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  clew doctor mysql://clew@db.example.com/

Exit codes: 0 no limitations; 1 the check failed; 3 the account or server has limitations.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    node: NodeConnectionArgs,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: DoctorOutputFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DoctorOutputFormat {
    /// Human-readable text
    Text,
    /// JSON object
    Json,
}

pub(crate) async fn run(arguments: DoctorArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    let (node, connector) = arguments.node.parse_node_url_and_timeouts(registry)?;
    let diagnosis = diagnose_node(&node, &connector).await?;
    match arguments.format {
        DoctorOutputFormat::Text => {
            output::write_stdout_with_colors(&render_diagnosis(&diagnosis, output::stdout_supports_colors()))?;
        }
        DoctorOutputFormat::Json => output::write_stdout(&output::to_json_text(&diagnosis)?)?,
    }
    if diagnosis.has_failed_checks() { Err(CliError::LimitationsFound) } else { Ok(()) }
}

const MAX_CLOCK_SKEW_SECONDS: f64 = 2.0;

pub(crate) fn render_diagnosis(diagnosis: &NodeDiagnosis, colors: bool) -> String {
    let mut text = format!(
        "{} {}, connected as {}, {}\n",
        diagnosis.server_flavor,
        bytes_to_single_line(diagnosis.server_version.as_bytes()),
        bytes_to_single_line(diagnosis.account.as_bytes()),
        diagnosis.cipher.as_ref().map_or("not encrypted".to_owned(), |cipher| format!(
            "encrypted ({})",
            bytes_to_single_line(cipher.as_bytes())
        )),
    );
    if diagnosis.clock_difference.abs() > MAX_CLOCK_SKEW_SECONDS {
        let _ = writeln!(
            text,
            "The server clock differs from the local clock by {:+.0} s. Clew computes durations from the server clock.",
            diagnosis.clock_difference
        );
    }
    text.push('\n');
    for check in &diagnosis.checks {
        let (mark, color) = if check.works { ("ok", AnsiColor::Green) } else { ("--", AnsiColor::Yellow) };
        let style = if colors { Style::new().fg_color(Some(color.into())) } else { Style::new() };
        let _ = writeln!(text, "{style}{mark}{style:#}  {}", check.what);
        if let Some(limitation) = &check.limitation {
            let [what, why] =
                [&limitation.what, &limitation.why].map(|text| bytes_to_single_line(text.english.as_bytes()));
            let _ = writeln!(text, "    {what}\n    reason: {why}");
        }
    }
    let mut remedies: Vec<_> =
        diagnosis.checks.iter().filter_map(|check| check.limitation.as_ref()?.remedy.as_ref()).collect();
    remedies.dedup();
    if !remedies.is_empty() {
        let _ = writeln!(text, "\nStatements to run as an administrator of the server:");
        for remedy in remedies {
            let _ = writeln!(text, "    {}", bytes_to_single_line(remedy.english.as_bytes()));
        }
    }
    text
}
