//! `clew audit export`

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clew_store::AuditRecord;

use super::{each, filters::Filters, row};
use crate::directory::Folder;
use crate::error::CliError;
use crate::output::Output;

/// Write every row that matches, the oldest first.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    filters: Filters,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "ndjson")]
    format: Form,
    /// Write to a file; - means stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    folder: Folder,
}

const AFTER_HELP: &str = "\
Examples:
  clew audit export -o audit.ndjson
  clew audit export --from 2026-06-01 --to 2026-07-01 --format csv -o june.csv
  clew audit export --outcome denied | jq -r .actor | sort | uniq -c";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One JSON object a line
    Ndjson,
    /// RFC 4180, for spreadsheets
    Csv,
}

/// Where rows are written, in one form or the other.
enum Writer {
    Ndjson(Output),
    Csv(Box<csv::Writer<Output>>),
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let store = arguments.folder.open().await?;
    let filter = arguments.filters.resolve(&store).await?;
    let out = Output::open(Some(&arguments.output))?;
    let name = out.name();
    let mut writer = Writer::new(out, arguments.format).map_err(|error| CliError::writing(&name, &error))?;
    each(&store, &filter, |record| writer.write(&record).map_err(|error| CliError::writing(&name, &error))).await?;
    writer.finish().map_err(|error| CliError::writing(&name, &error))?.finish()
}

impl Writer {
    fn new(out: Output, form: Form) -> std::io::Result<Self> {
        match form {
            Form::Ndjson => Ok(Self::Ndjson(out)),
            Form::Csv => {
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                writer.write_record(row::CSV_HEADER)?;
                Ok(Self::Csv(Box::new(writer)))
            }
        }
    }

    fn write(&mut self, record: &AuditRecord) -> std::io::Result<()> {
        match self {
            Self::Ndjson(out) => writeln!(out, "{}", clew_diagnose::json::to_string(&row::value(record))?),
            Self::Csv(writer) => Ok(writer.write_record(row::csv(record))?),
        }
    }

    fn finish(self) -> std::io::Result<Output> {
        match self {
            Self::Ndjson(out) => Ok(out),
            Self::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error),
        }
    }
}
