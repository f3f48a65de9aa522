//! What the tests need on a machine, and where it is kept. Installing it is `cargo xtask test`'s business.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Environment variable with the directory of servers and tools that are fetched once.
pub const SERVERS_DIR_ENV_VAR: &str = "CLEW_SERVERS_DIR";
/// Environment variable with the Python that has the client programs.
pub const PYTHON_ENV_VAR: &str = "CLEW_TEST_PYTHON";

/// A Debian package, and a file that tells whether it is there.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    file: &'static str,
}

impl Package {
    /// Whether it is there.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        Path::new(self.file).exists()
    }
}

/// What it takes to run a private MariaDB. The package `mariadb-server` would start a server of the whole machine besides.
pub const MARIADB_PACKAGES: [Package; 2] = [
    Package { name: "mariadb-server-core", file: MARIADBD },
    Package { name: "mariadb-client-core", file: "/usr/bin/my_print_defaults" },
];
/// What the tests take besides. nginx is not among them: its package would start a server of the whole machine.
pub const TEST_PACKAGES: [Package; 5] = [
    Package { name: "postgresql-15", file: "/usr/lib/postgresql/15/bin/postgres" },
    Package { name: "debootstrap", file: "/usr/sbin/debootstrap" },
    Package { name: "faketime", file: "/usr/bin/faketime" },
    Package { name: "python3-venv", file: "/usr/lib/python3.11/ensurepip/__init__.py" },
    Package { name: "chromium", file: "/usr/bin/chromium" },
];

/// What the benchmark takes besides.
pub const BENCH_PACKAGES: [Package; 3] = [
    Package { name: "sysbench", file: "/usr/bin/sysbench" },
    Package { name: "wrk", file: "/usr/bin/wrk" },
    Package { name: "hey", file: "/usr/bin/hey" },
];

pub(crate) const MARIADBD: &str = "/usr/sbin/mariadbd";
/// Folder of PostgreSQL's programs.
pub(crate) const POSTGRESQL: &str = "/usr/lib/postgresql/15/bin";

/// Requirements file of the client programs: the official SDK, keystoneauth1, schemathesis; and of SeaweedFS.
pub const CLIENT_REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients.txt");
/// A program that fails where one of [`CLIENT_REQUIREMENTS`], its argument, is missing or another version.
pub const CLIENT_VERSION_CHECK: &str = "import sys, importlib.metadata as installed
for line in open(sys.argv[1]):
    name, _, version = line.strip().partition('==')
    assert name.startswith('#') or installed.version(name) == version, line";

/// Why the directory of servers cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not use {}: {source}; set {SERVERS_DIR_ENV_VAR} to a folder that can be written to", path.display())]
pub struct SetupError {
    path: PathBuf,
    source: io::Error,
}

/// The directory of servers and tools that are fetched once: `CLEW_SERVERS_DIR`, else one in the user's cache.
#[must_use]
pub fn servers_dir() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(SERVERS_DIR_ENV_VAR).unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("clew").join("servers")
    })
}

/// The library that gives a program another clock when it is loaded before all others; nothing where it is not installed.
#[must_use]
pub fn faketime() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?.flatten();
    let libraries = architectures.map(|architecture| architecture.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.exists())
}

/// The unpacked MySQL.
#[must_use]
pub fn mysql_root() -> PathBuf {
    servers_dir().join("mysql-9")
}

/// Plugins of MariaDB that its core package does not bring, such as `metadata_lock_info`: the directory that the server loads them from.
#[must_use]
pub fn mariadb_plugins() -> PathBuf {
    mariadb_plugins_root().join("usr/lib/mysql/plugin")
}

/// Where the package with [`mariadb_plugins`] is unpacked to.
#[must_use]
pub fn mariadb_plugins_root() -> PathBuf {
    servers_dir().join("mariadb-plugins")
}

/// The nginx of this machine, or the one that was unpacked.
#[must_use]
pub fn nginx() -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/nginx");
    if installed.exists() { installed } else { nginx_root().join("usr/sbin/nginx") }
}

/// Where nginx is unpacked to.
#[must_use]
pub fn nginx_root() -> PathBuf {
    servers_dir().join("nginx")
}

/// The virtual environment with the client programs.
#[must_use]
pub fn clients_dir() -> PathBuf {
    servers_dir().join("clients")
}

/// The Python that has the client programs: `CLEW_TEST_PYTHON`, else that of [`clients_dir`].
#[must_use]
pub fn clients_python() -> PathBuf {
    std::env::var_os(PYTHON_ENV_VAR).map_or_else(|| clients_dir().join("bin").join("python"), PathBuf::from)
}

/// The program of SeaweedFS, an S3 server, which comes with [`CLIENT_REQUIREMENTS`].
#[must_use]
pub fn seaweedfs() -> PathBuf {
    clients_python().with_file_name("weed")
}

/// Held while something is put into the directory of servers.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Waits until nobody else puts something into the directory of servers.
pub fn lock() -> Result<Lock, SetupError> {
    let directory = servers_dir();
    let path = directory.join("lock");
    let locked = fs::create_dir_all(&directory)
        .and_then(|()| File::options().create(true).truncate(false).write(true).open(&path))
        .and_then(|file| file.lock().map(|()| Lock { _file: file }));
    locked.map_err(|source| SetupError { path, source })
}
