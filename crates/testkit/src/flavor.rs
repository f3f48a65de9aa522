//! Database server flavors (MariaDB and MySQL) and the commands that start the servers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use crate::process::build_command_with_parent_death_signal;
use crate::server_error::ServerError;
use crate::test_tools;

/// Flavor of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MariaDB 10.11.
    MariaDb,
    /// MySQL 9.7.
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

    /// Returns the command that starts the server. The MySQL command uses the dynamic loader from the unpacked packages.
    pub(crate) fn build_server_command(self) -> Result<Command, ServerError> {
        match self {
            Self::MariaDb => {
                let program = PathBuf::from(test_tools::MARIADBD_PATH);
                self.ensure_program_installed(&program)?;
                let mut command = build_command_with_parent_death_signal("KILL", &program);
                command.arg("--no-defaults").args(server_arguments_for_os_root_user());
                let plugins = test_tools::mariadb_plugin_dir();
                if plugins.exists() {
                    command.arg(format!("--plugin-dir={}", plugins.display()));
                }
                Ok(command)
            }
            Self::MySql => {
                let mut command = self.build_command_for_mysql_program("usr/sbin/mysqld")?;
                command.arg("--no-defaults").args(server_arguments_for_os_root_user());
                for (option, path) in [
                    ("basedir", "usr"),
                    ("lc-messages-dir", "usr/share/mysql"),
                    ("character-sets-dir", "usr/share/mysql/charsets"),
                    ("plugin-dir", "usr/lib/mysql/plugin"),
                ] {
                    command.arg(format!("--{option}={}", test_tools::mysql_dir().join(path).display()));
                }
                command.arg("--secure-file-priv=");
                Ok(command)
            }
        }
    }

    /// Returns a command that prints the content of binary log files as SQL statements.
    pub fn build_mysqlbinlog_command(self) -> Result<Command, ServerError> {
        match self {
            Self::MariaDb => {
                let program = PathBuf::from(test_tools::MARIADB_BINLOG_TOOL_PATH);
                self.ensure_program_installed(&program)?;
                Ok(build_command_with_parent_death_signal("KILL", &program))
            }
            Self::MySql => self.build_command_for_mysql_program("usr/bin/mysqlbinlog"),
        }
    }

    /// Returns a command that runs a program from the unpacked MySQL packages.
    fn build_command_for_mysql_program(self, program: &str) -> Result<Command, ServerError> {
        let root = test_tools::mysql_dir();
        let inside = |path: &str| root.join(path);
        let loader = inside("usr/lib64/ld-linux-x86-64.so.2");
        let loader = if loader.exists() { loader } else { inside("lib64/ld-linux-x86-64.so.2") };
        let program = inside(program);
        self.ensure_program_installed(&program)?;
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/mysql/private"]
            .map(|folder| inside(folder).display().to_string())
            .join(":");
        let mut command = build_command_with_parent_death_signal("KILL", &loader);
        command.arg("--library-path").arg(libraries).arg(&program);
        Ok(command)
    }

    fn ensure_program_installed(self, program: &Path) -> Result<(), ServerError> {
        if program.exists() {
            Ok(())
        } else {
            Err(ServerError::Missing { server: self.name(), program: program.to_owned() })
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
