//! Filters and sorts, named as in the API.

use clap::Args;
use clew_model::{Selection, SelectionDraft, SessionClass, SortDirection, SortKey};

use crate::error::CliError;

/// Which sessions, in what order.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters (all must hold)")]
pub(crate) struct Filters {
    /// Class of sessions: slow (active and at least the threshold in its state), active (command is not Sleep), total (all but
    /// internal ones), long (transaction at least as old as the threshold)
    #[arg(long, value_name = "CLASS", value_parser = clap::builder::PossibleValuesParser::new(SessionClass::NAMES), default_value = "total")]
    pub(crate) filter: Option<String>,
    /// Seconds from which a session counts as slow and a transaction as long, 1 to 86400 [default: 10]
    #[arg(long, visible_alias = "slow-process-threshold", value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) threshold: Option<i64>,
    /// Account name, exact
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Client address: host, or host:port; IPv6 in brackets
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Default database, exact
    #[arg(long)]
    pub(crate) db: Option<String>,
    /// Kind of command: Sleep, Query, … (any case)
    #[arg(long)]
    pub(crate) command: Option<String>,
    /// Part of the statement (any case)
    #[arg(long, visible_alias = "sql_key", value_name = "TEXT")]
    pub(crate) sql_key: Option<String>,
    /// What to sort by
    #[arg(long, visible_alias = "sort_key", value_name = "KEY", help_heading = "Order", value_parser = clap::builder::PossibleValuesParser::new(SortKey::NAMES), default_value = "id")]
    pub(crate) sort_key: Option<String>,
    /// Which way; rows without a value come last in both
    #[arg(long, visible_alias = "sort_dir", value_name = "DIRECTION", help_heading = "Order", value_parser = clap::builder::PossibleValuesParser::new(SortDirection::NAMES), default_value = "asc")]
    pub(crate) sort_dir: Option<String>,
}

impl Filters {
    /// As the API takes them.
    pub(crate) fn draft(self) -> SelectionDraft {
        SelectionDraft {
            filter: self.filter,
            slow_process_threshold: self.threshold,
            user: self.user,
            host: self.host,
            db: self.db,
            command: self.command,
            sql_key: self.sql_key,
            sort_key: self.sort_key,
            sort_dir: self.sort_dir,
        }
    }

    /// Checked.
    pub(crate) fn selection(self) -> Result<Selection, CliError> {
        Selection::parse(self.draft()).map_err(|error| CliError::refused(error.to_string()))
    }
}
