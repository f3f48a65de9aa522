//! `clew snapshot URL`: takes a snapshot of a database server's sessions. No Clew server is required.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clew_diagnose::csv;
use clew_model::Language;
use clew_mysql::{ConnectionRegistry, Snapshot, SnapshotFormat, SnapshotOptions, take_snapshot};

use crate::error::{CliError, ResultExt};
use crate::limitations;
use crate::node_url::NodeConnectionArgs;
use crate::output::{self, OutputWriter};
use crate::session_filters::SessionFilterArgs;
use crate::session_table;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    node: NodeConnectionArgs,
    #[command(flatten)]
    filters: SessionFilterArgs,
    /// Output format [default: table on a terminal, csv otherwise]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    format: Option<SnapshotOutputFormat>,
    /// Add columns for the statement digest, program, lock wait, blocker and root blocker
    #[arg(long, help_heading = "Output")]
    detail: bool,
    /// Replace each literal in a statement with ?, and omit the key values of locked rows
    #[arg(long, help_heading = "Output")]
    mask: bool,
    /// Output file [default: stdout]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Language of the CSV header row
    #[arg(long, value_name = "LANGUAGE", default_value = "en-us", value_parser = Language::ALL.map(Language::name), help_heading = "Output")]
    language: String,
    /// Do not add a leading quote to text that a spreadsheet would evaluate as a formula
    #[arg(long, help_heading = "Output")]
    no_formula_guard: bool,
}

const AFTER_HELP: &str = "\
Examples:
  clew snapshot mysql://root@127.0.0.1/
  clew snapshot mysql://clew@db.example.com/?tls=required --filter slow --threshold 3
  clew snapshot mysql://clew@db.example.com/ --sort-key trx_lock_duration --sort-dir desc
  CLEW_DB_PASSWORD=… clew snapshot mysql://clew@db.example.com/ --format json | jq .sessions[].user
  clew snapshot mysql://clew@db.example.com/ --filter long -o long.csv
  clew snapshot mysql://clew@db.example.com/ --detail --sort-key trx_lock_duration --sort-dir desc
  clew snapshot mysql://clew@db.example.com/ --mask -o for-the-vendor.csv";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SnapshotOutputFormat {
    /// Human-readable table
    Table,
    /// CSV (RFC 4180), as returned by the API
    Csv,
    /// JSON object with a summary and the list of sessions
    Json,
}

pub(crate) async fn run(arguments: SnapshotArgs, registry: ConnectionRegistry) -> Result<(), CliError> {
    let format = arguments.format.unwrap_or_else(|| default_output_format(arguments.output.is_some()));
    let selection = arguments.filters.clone().try_into_session_selection()?;
    let (node, connector) = arguments.node.parse_node_url_and_timeouts(registry)?;
    let row_format = match format {
        SnapshotOutputFormat::Csv => SnapshotFormat::Csv { formula_guard: !arguments.no_formula_guard },
        SnapshotOutputFormat::Json | SnapshotOutputFormat::Table => SnapshotFormat::Json,
    };
    let (masked, detailed) = (arguments.mask, arguments.detail);
    let options = SnapshotOptions { selection, masked, detailed, ..SnapshotOptions::new(row_format) };
    let snapshot = take_snapshot(&node, &options, &connector).await?;
    let is_table = format == SnapshotOutputFormat::Table;
    let file = arguments.output.clone();
    write_snapshot(snapshot, file, is_table, move |snapshot, out| match format {
        SnapshotOutputFormat::Csv => {
            let language = Language::from_tag(&arguments.language).unwrap_or_default();
            let header = csv::encode_header_row(language, arguments.detail);
            out.write_all(&header).and_then(|()| snapshot.body.write_to(out))
        }
        SnapshotOutputFormat::Json => write_json_snapshot(snapshot, out),
        SnapshotOutputFormat::Table => session_table::write_snapshot_table(snapshot, arguments.detail, out),
    })
    .await
}

fn default_output_format(to_file: bool) -> SnapshotOutputFormat {
    if !to_file && output::stdout_is_terminal() { SnapshotOutputFormat::Table } else { SnapshotOutputFormat::Csv }
}

pub(crate) async fn write_snapshot(
    mut snapshot: Snapshot,
    file: Option<PathBuf>,
    styled: bool,
    write: impl FnOnce(&mut Snapshot, &mut OutputWriter) -> io::Result<()> + Send + 'static,
) -> Result<(), CliError> {
    let limitations = limitations::format_limitations(&snapshot.summary.limitations);
    let writing = tokio::task::spawn_blocking(move || {
        let mut out = OutputWriter::open(file.as_deref(), styled)?;
        write(&mut snapshot, &mut out).map_err(|error| CliError::from_write_error(out.display_name(), &error))?;
        out.finish()
    });
    writing.await.with_failure_context("could not write")??;
    output::write_stderr(&limitations);
    Ok(())
}

pub(crate) fn write_json_snapshot(snapshot: &mut Snapshot, out: &mut OutputWriter) -> io::Result<()> {
    let summary = clew_diagnose::json::to_string(&snapshot.summary)?;
    write!(out, "{{\"summary\":{summary},\n\"sessions\":[\n")?;
    snapshot.body.write_to(out)?;
    out.write_all(b"\n]}\n")
}
