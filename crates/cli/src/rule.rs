//! `clew rule …`: tests kill rules against saved snapshots, without a server connection.

mod report;
mod rules_file;
mod snapshot_file;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use clew_diagnose::ProtectedAccounts;

use crate::command_group::CommandGroup;
use crate::error::{CliError, ResultExt, refused};
use crate::output::CommandOutputFormat;

pub(crate) type RuleCommandArgs = CommandGroup<RuleCommand>;

#[derive(Debug, Subcommand)]
pub(crate) enum RuleCommand {
    /// Test kill rules against a saved session snapshot and list the sessions that the rules would kill or spare.
    ///
    /// The command does not connect to a server. Kill tasks use the same code to match sessions.
    #[command(after_help = AFTER_HELP)]
    Test {
        /// Rules file (TOML)
        #[arg(value_name = "RULES.toml")]
        rules: PathBuf,
        /// Snapshot file (CSV or JSON) written by clew snapshot or clew collect
        #[arg(value_name = "SNAPSHOT")]
        snapshot: PathBuf,
        /// Account to protect from kills, in addition to system and cloud vendor accounts (repeatable)
        #[arg(long = "protect", value_name = "ACCOUNT")]
        protected: Vec<String>,
        /// Output format
        #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
        format: CommandOutputFormat,
    },
}

const AFTER_HELP: &str = "\
Rules file. seconds is required; a session matches if all criteria of the rule match:
  [[rule]]
  name = \"stuck reports\"       # name in the output
  user = \"report\"              # account name (exact match)
  host = \"10.0.0.7\"            # client address: host or host:port
  db = \"shop\"                  # default database (exact match)
  command = \"Query\"            # command (case-insensitive)
  sql = \"from orders\"          # substring of the statement (case-insensitive)
  seconds = 600                # minimum duration of the current state
  include_unsafe = true        # also kill if that can damage a non-transactional table

Examples:
  clew snapshot mysql://root@127.0.0.1/ -o now.csv && clew rule test rules.toml now.csv
  clew rule test rules.toml now.json --protect billing --format json | jq .totals";

pub(crate) async fn run(arguments: RuleCommandArgs) -> Result<(), CliError> {
    let task = tokio::task::spawn_blocking(move || test_rules(arguments.command));
    task.await.with_failure_context("could not test the rules")?
}

fn test_rules(RuleCommand::Test { rules, snapshot, protected, format }: RuleCommand) -> Result<(), CliError> {
    let rules =
        rules_file::parse_rules(&read_text_file(&rules)?).map_err(|message| input_file_error(&rules, &message))?;
    let sessions = snapshot_file::parse_snapshot_sessions(&read_input_file(&snapshot)?)
        .map_err(|message| input_file_error(&snapshot, &message))?;
    let protected = ProtectedAccounts::default().with_accounts(protected.iter().map(String::as_str));
    let report = report::RuleTestReport::new(&rules, &sessions, &protected);
    format.print(|| report.render_text(), || report.to_json())
}

fn read_input_file(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).with_refusal_context(format_args!("could not read {}", file.display()))
}

fn read_text_file(file: &Path) -> Result<String, CliError> {
    String::from_utf8(read_input_file(file)?).map_err(|_| input_file_error(file, "the file is not valid UTF-8"))
}

fn input_file_error(file: &Path, message: &str) -> CliError {
    refused!("{}: {message}", file.display())
}
