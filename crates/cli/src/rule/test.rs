//! `clew rule test RULES SNAPSHOT`: whom rules would kill of the sessions of a saved snapshot. Nothing is asked of any server.

use std::path::{Path, PathBuf};

use clap::Args;
use clew_diagnose::ProtectedAccounts;

use super::{report, rules, saved};
use crate::error::CliError;
use crate::output::Format;

/// Say whom rules would kill of the sessions of a saved snapshot, and who would be spared.
///
/// The decision is made by the code that kill tasks run. No server is asked, and nobody is killed.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The rules, as TOML
    #[arg(value_name = "RULES.toml")]
    rules: PathBuf,
    /// The sessions, as clew snapshot and clew collect write them: CSV or JSON
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// An account whose sessions must live, beside those of the servers and of cloud vendors. May be given again
    #[arg(long = "protect", value_name = "ACCOUNT")]
    protected: Vec<String>,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "table")]
    format: Format,
}

const AFTER_HELP: &str = "\
A file of rules. seconds must be there; of the rest each that is there must hold:
  [[rule]]
  name = \"stuck reports\"       # for the output
  user = \"report\"              # account, exact
  host = \"10.0.0.7\"            # client address: host, or host:port
  db = \"shop\"                  # default database, exact
  command = \"Query\"            # in any case
  sql = \"from orders\"          # part of the statement, in any case
  seconds = 600                # at least so long in its state
  include_unsafe = true        # kill also where that can damage a table without transactions

Examples:
  clew snapshot mysql://root@127.0.0.1/ -o now.csv && clew rule test rules.toml now.csv
  clew rule test rules.toml now.json --protect billing --format json | jq .totals";

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let rules = rules::parse(&text(&arguments.rules)?).map_err(|wrong| in_file(&arguments.rules, &wrong))?;
    let sessions = saved::parse(&read(&arguments.snapshot)?).map_err(|wrong| in_file(&arguments.snapshot, &wrong))?;
    let protected = ProtectedAccounts::default().and(arguments.protected.iter().map(String::as_str));
    let report = report::Report::of(&rules, &sessions, &protected);
    arguments.format.say(|| report.for_eyes(), || report.for_scripts())
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|error| CliError::refused(format!("could not read {}: {error}", file.display())))
}

fn text(file: &Path) -> Result<String, CliError> {
    String::from_utf8(read(file)?).map_err(|_| in_file(file, "it is not UTF-8"))
}

fn in_file(file: &Path, wrong: &str) -> CliError {
    CliError::refused(format!("{}: {wrong}", file.display()))
}
