//! Criteria of a kill rule (spec section 2.8).

use serde::{Deserialize, Serialize};

use crate::selection::{HostPattern, Selection};

/// Criteria that a session must match to be killed by a rule. All criteria must match; `None` matches every session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillCriteria {
    /// Exact account name.
    pub user: Option<String>,
    /// Client address.
    pub host: Option<HostPattern>,
    /// Exact name of the default database.
    pub database: Option<String>,
    /// Command, case-insensitive.
    pub command: Option<String>,
    /// Substring of the statement, case-insensitive.
    pub sql_key: Option<String>,
    /// Minimum duration of the current state, in seconds.
    pub seconds: u32,
    /// If true, the rule also kills sessions whose termination can damage or partly change a non-transactional table.
    /// This option is an addition of Clew to the API.
    #[serde(default)]
    pub include_unsafe: bool,
}

impl KillCriteria {
    /// Maximum duration of the API, in seconds.
    pub const MAX_SECONDS: u32 = i32::MAX.unsigned_abs();

    /// Creates criteria that only require a minimum duration of the current state.
    #[must_use]
    pub fn with_min_seconds(seconds: u32) -> Self {
        Self { user: None, host: None, database: None, command: None, sql_key: None, seconds, include_unsafe: false }
    }

    /// Returns true if the duration is the only criterion.
    #[must_use]
    pub fn is_duration_only(&self) -> bool {
        let Self { user, host, database, command, sql_key, seconds: _, include_unsafe: _ } = self;
        user.is_none() && host.is_none() && database.is_none() && command.is_none() && sql_key.is_none()
    }

    /// Returns the criteria, except the duration, as filters of a snapshot. The filters have the same meaning.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            user: self.user.clone(),
            host: self.host.clone(),
            database: self.database.clone(),
            command: self.command.clone(),
            sql_key: self.sql_key.clone(),
            ..Selection::default()
        }
    }
}
