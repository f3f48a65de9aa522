//! Which server this is, found out by asking.

use std::fmt;

use serde::Serialize;

/// A family of servers that differ in how they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// MySQL, and what is built from it: TaurusDB, Percona Server.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavor {
    /// From what `VERSION()` answers.
    pub(crate) fn from_version(version: &str) -> Self {
        if version.to_ascii_lowercase().contains("mariadb") { Self::MariaDb } else { Self::MySql }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        })
    }
}
