//! `clew audit export`

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clew_store::AuditRecord;

use super::{filters::AuditFilterArgs, for_each_audit_row, row_format};
use crate::error::CliError;
use crate::output::OutputWriter;
use crate::store_args::StoreArgs;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filters: AuditFilterArgs,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "ndjson")]
    format: ExportFormat,
    /// Output file, or - for stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    store_args: StoreArgs,
}

pub(super) const AFTER_HELP: &str = "\
Examples:
  clew audit export -o audit.ndjson
  clew audit export --from 2026-06-01 --to 2026-07-01 --format csv -o june.csv
  clew audit export --outcome denied | jq -r .actor | sort | uniq -c";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One JSON object per line
    Ndjson,
    /// CSV for spreadsheets (RFC 4180)
    Csv,
}

enum AuditRowWriter {
    Ndjson(OutputWriter),
    Csv(Box<csv::Writer<OutputWriter>>),
}

pub(super) async fn run(arguments: &ExportArgs) -> Result<(), CliError> {
    let store = arguments.store_args.open_store().await?;
    let filter = arguments.filters.resolve_audit_filter(&store).await?;
    let out = OutputWriter::open(Some(&arguments.output), false)?;
    let name = out.display_name().to_owned();
    let mut writer =
        AuditRowWriter::new(out, arguments.format).map_err(|error| CliError::from_write_error(&name, &error))?;
    for_each_audit_row(&store, &filter, |record| {
        writer.write_row(&record).map_err(|error| CliError::from_write_error(&name, &error))
    })
    .await?;
    writer.finish().map_err(|error| CliError::from_write_error(&name, &error))?.finish()
}

impl AuditRowWriter {
    fn new(out: OutputWriter, format: ExportFormat) -> std::io::Result<Self> {
        match format {
            ExportFormat::Ndjson => Ok(Self::Ndjson(out)),
            ExportFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                writer.write_record(row_format::AUDIT_CSV_HEADER.split(','))?;
                Ok(Self::Csv(Box::new(writer)))
            }
        }
    }

    fn write_row(&mut self, record: &AuditRecord) -> std::io::Result<()> {
        match self {
            Self::Ndjson(out) => {
                writeln!(out, "{}", clew_diagnose::json::to_string(&row_format::audit_row_to_json(record))?)
            }
            Self::Csv(writer) => Ok(writer.write_record(row_format::audit_row_to_csv(record))?),
        }
    }

    fn finish(self) -> std::io::Result<OutputWriter> {
        match self {
            Self::Ndjson(out) => Ok(out),
            Self::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error),
        }
    }
}
