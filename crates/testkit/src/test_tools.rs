//! Packages and paths of the servers and tools used by tests. `cargo xtask test` installs the packages.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Environment variable that contains the path of the directory for downloaded servers and tools.
pub const SERVERS_DIR_ENV_VAR: &str = "CLEW_SERVERS_DIR";
/// Environment variable with the path of a Python interpreter that can import the API client packages.
pub const PYTHON_INTERPRETER_ENV_VAR: &str = "CLEW_TEST_PYTHON";

/// A Debian package and the path of a file that exists only if the package is installed.
#[derive(Debug, Clone, Copy)]
pub struct DebianPackage {
    /// Name of the Debian package.
    pub name: &'static str,
    file: &'static str,
}

impl DebianPackage {
    /// Returns true if the Debian package is installed.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        Path::new(self.file).exists()
    }
}

/// Debian packages for a private MariaDB server. `mariadb-server` is omitted, because it starts a system-wide server.
pub const MARIADB_DEBIAN_PACKAGES: [DebianPackage; 2] = [
    DebianPackage { name: "mariadb-server-core", file: MARIADBD_PATH },
    DebianPackage { name: "mariadb-client-core", file: "/usr/bin/my_print_defaults" },
];
/// Debian packages of the tools that tests run. The nginx package is omitted, because it starts a system-wide server.
pub const TEST_DEBIAN_PACKAGES: [DebianPackage; 8] = [
    DebianPackage { name: "mariadb-client", file: MARIADB_BINLOG_TOOL_PATH },
    DebianPackage { name: "postgresql-15", file: "/usr/lib/postgresql/15/bin/postgres" },
    DebianPackage { name: "debootstrap", file: "/usr/sbin/debootstrap" },
    DebianPackage { name: "faketime", file: "/usr/bin/faketime" },
    DebianPackage { name: "python3-venv", file: "/usr/lib/python3.11/ensurepip/__init__.py" },
    DebianPackage { name: "chromium", file: "/usr/bin/chromium" },
    // For the commands of the README.
    DebianPackage { name: "curl", file: "/usr/bin/curl" },
    DebianPackage { name: "jq", file: "/usr/bin/jq" },
];

/// Additional packages for the benchmark.
pub const BENCH_DEBIAN_PACKAGES: [DebianPackage; 3] = [
    DebianPackage { name: "sysbench", file: "/usr/bin/sysbench" },
    DebianPackage { name: "wrk", file: "/usr/bin/wrk" },
    DebianPackage { name: "hey", file: "/usr/bin/hey" },
];

pub(crate) const MARIADB_BINLOG_TOOL_PATH: &str = "/usr/bin/mariadb-binlog";
pub(crate) const MARIADBD_PATH: &str = "/usr/sbin/mariadbd";
const NPM_LOCK_FILE: &str = "package-lock.json";
pub(crate) const POSTGRESQL_BIN_DIR: &str = "/usr/lib/postgresql/15/bin";

/// Path of the pip requirements file for the Huawei Cloud SDK, keystoneauth1, schemathesis and SeaweedFS.
pub const PIP_REQUIREMENTS_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients.txt");
/// Path of the directory with the npm manifest and lock file for the Huawei Cloud SDK for Node.js.
pub const NODE_CLIENTS_MANIFEST_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node-clients");
/// Python script that checks the installed package versions against [`PIP_REQUIREMENTS_PATH`].
pub const PIP_PACKAGE_CHECK_SCRIPT: &str = "import sys, importlib.metadata as installed
for line in open(sys.argv[1]):
    name, _, version = line.strip().partition('==')
    assert name.startswith('#') or installed.version(name) == version, line";

/// Error returned if the directory for downloaded servers and tools is not usable.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {source}. Fix: set {SERVERS_DIR_ENV_VAR} to a writable directory", path.display())]
pub struct DownloadsDirError {
    path: PathBuf,
    source: io::Error,
}

/// Returns the directory that contains the downloaded servers and tools.
/// If `CLEW_SERVERS_DIR` is not set, the downloads directory is inside the user's cache directory.
#[must_use]
pub fn downloads_dir() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(SERVERS_DIR_ENV_VAR).unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("clew").join("servers")
    })
}

/// Returns the path of the libfaketime library for `LD_PRELOAD`, or `None` if it is not installed.
#[must_use]
pub fn libfaketime_path() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?.flatten();
    let libraries = architectures.map(|architecture| architecture.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.exists())
}

/// Returns the directory that contains extra MariaDB plugins such as `metadata_lock_info`.
#[must_use]
pub fn mariadb_plugin_dir() -> PathBuf {
    unpacked_mariadb_plugins_dir().join("usr/lib/mysql/plugin")
}

/// Returns the directory into which the MariaDB plugin package is unpacked.
#[must_use]
pub fn unpacked_mariadb_plugins_dir() -> PathBuf {
    downloads_dir().join("mariadb-plugins")
}

/// Returns the path of the installed nginx binary, or the path in [`nginx_dir`] if nginx is not installed.
#[must_use]
pub fn nginx_path() -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/nginx");
    if installed.exists() { installed } else { nginx_dir().join("usr/sbin/nginx") }
}

/// Returns the directory into which the nginx package is unpacked.
#[must_use]
pub fn nginx_dir() -> PathBuf {
    downloads_dir().join("nginx")
}

/// Returns the directory of the Python virtual environment with the API client packages.
#[must_use]
pub fn python_venv_dir() -> PathBuf {
    downloads_dir().join("clients")
}

/// Returns the path of a Python interpreter with the API client packages.
/// If `CLEW_TEST_PYTHON` is not set, uses the interpreter in [`python_venv_dir`].
#[must_use]
pub fn python_interpreter_path() -> PathBuf {
    std::env::var_os(PYTHON_INTERPRETER_ENV_VAR)
        .map_or_else(|| python_venv_dir().join("bin").join("python"), PathBuf::from)
}

/// Returns the directory into which npm installs the API client packages for Node.js.
#[must_use]
pub fn node_clients_dir() -> PathBuf {
    downloads_dir().join("node-clients")
}

/// Returns true if the packages of [`NODE_CLIENTS_MANIFEST_DIR`] are installed in [`node_clients_dir`].
#[must_use]
pub fn are_node_clients_installed() -> bool {
    let (manifests, installed) = (Path::new(NODE_CLIENTS_MANIFEST_DIR), node_clients_dir());
    let is_current = |name| fs::read(manifests.join(name)).ok() == fs::read(installed.join(name)).ok();
    // npm writes this file at the end of an installation.
    is_current(NPM_LOCK_FILE) && installed.join("node_modules/.package-lock.json").exists()
}

/// Returns the path of the SeaweedFS executable. `pip` installs SeaweedFS together with the API client packages.
#[must_use]
pub fn seaweedfs_path() -> PathBuf {
    python_interpreter_path().with_file_name("weed")
}

/// Exclusive lock on the directory for downloaded servers and tools. Dropping the value releases the lock.
#[derive(Debug)]
pub struct DownloadsDirLock {
    _file: File,
}

/// Locks the directory for downloaded servers and tools. Blocks while another process holds the lock.
pub fn acquire_downloads_dir_lock() -> Result<DownloadsDirLock, DownloadsDirError> {
    let directory = downloads_dir();
    let path = directory.join("lock");
    let locked = fs::create_dir_all(&directory)
        .and_then(|()| File::options().create(true).truncate(false).write(true).open(&path))
        .and_then(|file| file.lock().map(|()| DownloadsDirLock { _file: file }));
    locked.map_err(|source| DownloadsDirError { path, source })
}
