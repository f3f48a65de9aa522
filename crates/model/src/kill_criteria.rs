//! Which sessions a kill rule means (spec section 2.8).

use serde::{Deserialize, Serialize};

use crate::selection::{HostPattern, Selection};

/// What a session must be like to be killed by a rule. Criteria are joined by AND; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillCriteria {
    /// Exact account name.
    pub user: Option<String>,
    /// Client address.
    pub host: Option<HostPattern>,
    /// Exact name of the default database.
    pub database: Option<String>,
    /// Command, without regard to case.
    pub command: Option<String>,
    /// Part of the statement, without regard to case.
    pub sql_key: Option<String>,
    /// Least seconds in the current state.
    pub seconds: u32,
    /// Whether sessions are killed too whose end can damage or half-change a table without transactions. An addition of Clew's.
    #[serde(default)]
    pub include_unsafe: bool,
}

impl KillCriteria {
    /// The largest duration of the API.
    pub const MAX_SECONDS: u32 = i32::MAX.unsigned_abs();

    /// Every session that is at least so many seconds in its state.
    #[must_use]
    pub fn after(seconds: u32) -> Self {
        Self { user: None, host: None, database: None, command: None, sql_key: None, seconds, include_unsafe: false }
    }

    /// Whether they match every user session: the only criterion is the duration.
    #[must_use]
    pub fn is_duration_only(&self) -> bool {
        let Self { user, host, database, command, sql_key, seconds: _, include_unsafe: _ } = self;
        user.is_none() && host.is_none() && database.is_none() && command.is_none() && sql_key.is_none()
    }

    /// The criteria but the duration, as the filters of a snapshot: they mean the same there.
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
