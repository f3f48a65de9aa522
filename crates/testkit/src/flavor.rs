//! Database server flavors (MariaDB and MySQL).

use std::fmt;
use std::process::Command;

use rustix::process::geteuid;

use crate::server_error::ServerError;
use crate::server_release::ServerRelease;
use crate::test_tools;

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

    /// Returns a command that prints the content of binary log files as SQL statements.
    pub fn build_mysqlbinlog_command(self) -> Result<Command, ServerError> {
        let release = ServerRelease::from(self);
        match self {
            Self::MariaDb => release.build_installed_command(test_tools::MARIADB_BINLOG_TOOL_PATH),
            Self::MySql => release.build_unpacked_command(&test_tools::mysql_dir(), "usr/bin/mysqlbinlog"),
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Database servers require the argument `--user=root` to run as root.
pub(crate) fn server_arguments_for_os_root_user() -> &'static [&'static str] {
    if geteuid().is_root() { &["--user=root"] } else { &[] }
}
