//! Server families: MySQL and MariaDB.

use std::fmt;

use serde::Serialize;

/// Family of a database server. MySQL and MariaDB have different system tables and SQL statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// MySQL and servers derived from it, such as TaurusDB and Percona Server.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavor {
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
