//! Criteria by which a kill rule selects the sessions to kill (TaurusDB API spec, section 2.8).

use serde::{Deserialize, Serialize};

use crate::session_selection::{ClientAddressFilter, SessionSelection};

/// Criteria by which a kill rule selects sessions. A session must match every criterion that is not `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillCriteria {
    /// Exact account name.
    pub user: Option<String>,
    /// Client address.
    pub host: Option<ClientAddressFilter>,
    /// Exact name of the default database.
    pub database: Option<String>,
    /// Command; compared case-insensitively.
    pub command: Option<String>,
    /// Substring that the SQL statement must contain, ignoring case.
    pub sql_key: Option<String>,
    /// Minimum time that the session must have spent in its current state, in seconds.
    pub seconds: u32,
    /// If true, sessions are killed even if the kill can damage or partially modify a non-transactional table.
    /// `include_unsafe` is a Clew extension to the TaurusDB API.
    #[serde(default)]
    pub include_unsafe: bool,
}

impl KillCriteria {
    /// Maximum value that the API accepts for the field `seconds` of kill criteria.
    pub const MAX_DURATION_CRITERION_SECONDS: u32 = i32::MAX.unsigned_abs();

    /// Creates criteria for sessions whose current state has lasted for at least `seconds` seconds.
    #[must_use]
    pub fn with_min_seconds_in_state(seconds: u32) -> Self {
        Self { user: None, host: None, database: None, command: None, sql_key: None, seconds, include_unsafe: false }
    }

    /// Returns true if the criteria select sessions only by the time that they have spent in their current state.
    #[must_use]
    pub fn has_only_duration_criterion(&self) -> bool {
        let Self { user, host, database, command, sql_key, seconds: _, include_unsafe: _ } = self;
        user.is_none() && host.is_none() && database.is_none() && command.is_none() && sql_key.is_none()
    }

    /// Creates a session selection from the criteria for user, host, database, command and statement.
    #[must_use]
    pub fn to_session_selection(&self) -> SessionSelection {
        SessionSelection {
            user: self.user.clone(),
            host: self.host.clone(),
            database: self.database.clone(),
            command: self.command.clone(),
            sql_key: self.sql_key.clone(),
            ..SessionSelection::default()
        }
    }
}
