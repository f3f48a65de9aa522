//! Database server flavors (MariaDB and MySQL).

use std::fmt;

/// Flavor of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
}

impl Flavor {
    /// All flavors.
    pub const ALL: [Self; 2] = [Self::MariaDb, Self::MySql];

    /// Returns the name of the server flavor, `mariadb` or `mysql`, for paths and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
