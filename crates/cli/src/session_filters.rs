//! Command-line options that filter and sort sessions. The options are named after the API parameters.

use clap::Args;
use clew_model::{SessionClass, SessionSelection, SortDirection, SortKey, UnvalidatedSessionSelection};

use crate::error::{CliError, refused};

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters (all must match)")]
pub(crate) struct SessionFilterArgs {
    /// Class of sessions to select.
    /// --filter slow selects active sessions whose current state has lasted for at least --threshold seconds.
    /// --filter active selects sessions with a command other than Sleep.
    /// --filter total selects all sessions except internal sessions.
    /// --filter long selects sessions with a transaction that has been open for at least --threshold seconds
    #[arg(long, value_name = "CLASS", value_parser = clap::builder::PossibleValuesParser::new(SessionClass::NAMES), default_value = "total")]
    pub(crate) filter: Option<String>,
    /// Threshold for slow sessions and long transactions, in seconds, from 1 to 86400 [default: 10]
    #[arg(long, visible_alias = "slow-process-threshold", value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) threshold: Option<i64>,
    /// Account name (exact match)
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Client address: HOST or HOST:PORT, with an IPv6 address in brackets
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Default database (exact match)
    #[arg(long)]
    pub(crate) db: Option<String>,
    /// Command of the session, such as Sleep or Query (case-insensitive)
    #[arg(long)]
    pub(crate) command: Option<String>,
    /// Substring of the statement (case-insensitive)
    #[arg(long, visible_alias = "sql_key", value_name = "TEXT")]
    pub(crate) sql_key: Option<String>,
    /// Sort key
    #[arg(long, visible_alias = "sort_key", value_name = "KEY", help_heading = "Order", value_parser = clap::builder::PossibleValuesParser::new(SortKey::NAMES), default_value = "id")]
    pub(crate) sort_key: Option<String>,
    /// Sort direction; rows without a value for the sort key come last in both directions
    #[arg(long, visible_alias = "sort_dir", value_name = "DIRECTION", help_heading = "Order", value_parser = clap::builder::PossibleValuesParser::new(SortDirection::NAMES), default_value = "asc")]
    pub(crate) sort_dir: Option<String>,
}

impl SessionFilterArgs {
    pub(crate) fn into_unvalidated_session_selection(self) -> UnvalidatedSessionSelection {
        UnvalidatedSessionSelection {
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

    pub(crate) fn try_into_session_selection(self) -> Result<SessionSelection, CliError> {
        SessionSelection::parse(self.into_unvalidated_session_selection()).map_err(|error| refused!("{error}"))
    }
}
