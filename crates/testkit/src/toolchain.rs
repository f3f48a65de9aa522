//! Servers and programs that the tests require, with their paths. `cargo xtask test` installs them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Environment variable with the directory of downloaded servers and tools.
pub const SERVERS_DIR_ENV_VAR: &str = "CLEW_SERVERS_DIR";
/// Environment variable with the Python interpreter that has the client packages.
pub const PYTHON_ENV_VAR: &str = "CLEW_TEST_PYTHON";

/// A Debian package, and a file that exists if it is installed.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// Package name.
    pub name: &'static str,
    file: &'static str,
}

impl Package {
    /// Returns true if the package is installed.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        Path::new(self.file).exists()
    }
}

/// Packages of a private MariaDB. The package `mariadb-server` would also start a system-wide server.
pub const MARIADB_PACKAGES: [Package; 2] = [
    Package { name: "mariadb-server-core", file: MARIADBD },
    Package { name: "mariadb-client-core", file: "/usr/bin/my_print_defaults" },
];
/// Further packages of the tests. nginx is unpacked instead, because its package would start a system-wide server.
pub const TEST_PACKAGES: [Package; 5] = [
    Package { name: "postgresql-15", file: "/usr/lib/postgresql/15/bin/postgres" },
    Package { name: "debootstrap", file: "/usr/sbin/debootstrap" },
    Package { name: "faketime", file: "/usr/bin/faketime" },
    Package { name: "python3-venv", file: "/usr/lib/python3.11/ensurepip/__init__.py" },
    Package { name: "chromium", file: "/usr/bin/chromium" },
];

/// Further packages of the benchmark.
pub const BENCH_PACKAGES: [Package; 3] = [
    Package { name: "sysbench", file: "/usr/bin/sysbench" },
    Package { name: "wrk", file: "/usr/bin/wrk" },
    Package { name: "hey", file: "/usr/bin/hey" },
];

pub(crate) const MARIADBD: &str = "/usr/sbin/mariadbd";
/// Directory of PostgreSQL's programs.
pub(crate) const POSTGRESQL: &str = "/usr/lib/postgresql/15/bin";

/// Requirements file of the Python packages: the official SDK, keystoneauth1, schemathesis and SeaweedFS.
pub const CLIENT_REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients.txt");
/// Python program that fails if a package of [`CLIENT_REQUIREMENTS`], its argument, is missing or has another version.
pub const CLIENT_VERSION_CHECK: &str = "import sys, importlib.metadata as installed
for line in open(sys.argv[1]):
    name, _, version = line.strip().partition('==')
    assert name.startswith('#') or installed.version(name) == version, line";

/// The directory of installed servers cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not use {}: {source}; set {SERVERS_DIR_ENV_VAR} to a folder that can be written to", path.display())]
pub struct SetupError {
    path: PathBuf,
    source: io::Error,
}

/// Returns the directory of downloaded servers and tools: `CLEW_SERVERS_DIR`, or a directory in the user's cache.
#[must_use]
pub fn servers_dir() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(SERVERS_DIR_ENV_VAR).unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("clew").join("servers")
    })
}

/// Returns the libfaketime library for `LD_PRELOAD`, or `None` if it is not installed.
#[must_use]
pub fn faketime() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?.flatten();
    let libraries = architectures.map(|architecture| architecture.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.exists())
}

/// Returns the directory of the unpacked MySQL.
#[must_use]
pub fn mysql_root() -> PathBuf {
    servers_dir().join("mysql-9")
}

/// Returns the directory of MariaDB plugins that the core package lacks, such as `metadata_lock_info`.
#[must_use]
pub fn mariadb_plugins() -> PathBuf {
    mariadb_plugins_root().join("usr/lib/mysql/plugin")
}

/// Returns the directory of the unpacked plugin package.
#[must_use]
pub fn mariadb_plugins_root() -> PathBuf {
    servers_dir().join("mariadb-plugins")
}

/// Returns the path of the installed nginx, or of the unpacked one.
#[must_use]
pub fn nginx() -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/nginx");
    if installed.exists() { installed } else { nginx_root().join("usr/sbin/nginx") }
}

/// Returns the directory of the unpacked nginx.
#[must_use]
pub fn nginx_root() -> PathBuf {
    servers_dir().join("nginx")
}

/// Returns the directory of the Python virtual environment.
#[must_use]
pub fn clients_dir() -> PathBuf {
    servers_dir().join("clients")
}

/// Returns the Python interpreter with the client packages: `CLEW_TEST_PYTHON`, or the one in [`clients_dir`].
#[must_use]
pub fn clients_python() -> PathBuf {
    std::env::var_os(PYTHON_ENV_VAR).map_or_else(|| clients_dir().join("bin").join("python"), PathBuf::from)
}

/// Returns the path of SeaweedFS, an S3 server, which [`CLIENT_REQUIREMENTS`] installs.
#[must_use]
pub fn seaweedfs() -> PathBuf {
    clients_python().with_file_name("weed")
}

/// Lock on the directory of servers.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Locks the directory of servers. Waits while another process holds the lock.
pub fn lock() -> Result<Lock, SetupError> {
    let directory = servers_dir();
    let path = directory.join("lock");
    let locked = fs::create_dir_all(&directory)
        .and_then(|()| File::options().create(true).truncate(false).write(true).open(&path))
        .and_then(|file| file.lock().map(|()| Lock { _file: file }));
    locked.map_err(|source| SetupError { path, source })
}
