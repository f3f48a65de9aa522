//! Installation of the servers and client programs of the tests, the benchmark and the demo.
//! [`clew_testkit::toolchain`] lists them with their paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::toolchain;

use crate::command::Command;
use crate::error::XtaskError;
use crate::processes::is_root;
use crate::progress::Step;

/// Time limit of one download attempt, or of unpacking one package.
const STEP_TIMEOUT: Duration = Duration::from_mins(15);

/// Installs MariaDB for the demo.
pub(crate) async fn for_demo() -> Result<(), XtaskError> {
    let missing = missing_packages(&toolchain::MARIADB_PACKAGES);
    if !missing.is_empty() && !is_root() {
        return Err(root_required(&missing, None));
    }
    install_packages(&missing).await
}

/// Installs all servers and programs that a test may use.
pub(crate) async fn for_tests() -> Result<(), XtaskError> {
    // The lock serializes installations: a concurrent task finds everything installed.
    let _lock = toolchain::lock()?;
    let missing = missing_packages(&[&toolchain::MARIADB_PACKAGES[..], &toolchain::TEST_PACKAGES[..]].concat());
    let mysql_to_fetch = MysqlPackages::if_missing();
    if (!missing.is_empty() || mysql_to_fetch.is_some()) && !is_root() {
        return Err(root_required(&missing, mysql_to_fetch.as_ref()));
    }
    install_packages(&missing).await?;
    if let Some(packages) = mysql_to_fetch {
        packages.fetch().await?;
    }
    unpack_mysql().await?;
    unpack_mariadb_plugins().await?;
    unpack_nginx().await?;
    install_clients().await
}

/// Installs the programs of the tests and of the benchmark.
pub(crate) async fn for_bench() -> Result<(), XtaskError> {
    for_tests().await?;
    let _lock = toolchain::lock()?;
    let missing = missing_packages(&toolchain::BENCH_PACKAGES);
    if !missing.is_empty() && !is_root() {
        return Err(root_required(&missing, None));
    }
    install_packages(&missing).await
}

/// Returns the names of the packages that are not installed.
fn missing_packages(packages: &[toolchain::Package]) -> Vec<&'static str> {
    packages.iter().filter(|package| !package.is_installed()).map(|package| package.name).collect()
}

/// Returns an error with one command that performs all installations that require root.
fn root_required(packages: &[&str], mysql: Option<&MysqlPackages>) -> XtaskError {
    let mut commands = Vec::new();
    if !packages.is_empty() {
        let names = packages.join(" ");
        commands.push(format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}"));
    }
    if let Some(mysql) = mysql {
        let (download, mark) = (mysql.debootstrap().command_line(), mysql.mark_complete().command_line());
        commands.push(format!("sudo {download} && sudo {mark}"));
    }
    let missing = packages.iter().copied().chain(mysql.map(|_| "MySQL")).collect::<Vec<_>>().join(", ");
    XtaskError::RootRequired { missing, command: commands.join(" && ") }
}

async fn install_packages(missing: &[&'static str]) -> Result<(), XtaskError> {
    if missing.is_empty() {
        return Ok(());
    }
    let step = Step::start(format!("Installing {} (Debian packages, once)", missing.join(", ")));
    apt(&["update"]).retry_in_step(&step, STEP_TIMEOUT).await?;
    apt(&["install", "-y", "--no-install-recommends"])
        .args(missing.iter().copied())
        .retry_in_step(&step, STEP_TIMEOUT)
        .await?;
    step.done();
    Ok(())
}

/// Returns a non-interactive `apt-get` command with network and lock timeouts.
fn apt(arguments: &[&str]) -> Command {
    const OPTIONS: [&str; 7] =
        ["-q", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30", "-o", "DPkg::Lock::Timeout=300"];
    Command::new("apt-get").args(OPTIONS).args(arguments.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive")
}

/// MySQL's packages from Debian unstable with their dependencies.
/// debootstrap downloads and verifies them, which requires root.
struct MysqlPackages {
    directory: PathBuf,
}

impl MysqlPackages {
    fn new() -> Self {
        Self { directory: toolchain::mysql_root().with_extension("packages") }
    }

    /// Returns the packages to download, or `None` if MySQL is unpacked or the packages are complete.
    fn if_missing() -> Option<Self> {
        let packages = Self::new();
        (!toolchain::mysql_root().exists() && !packages.completion_marker().exists()).then_some(packages)
    }

    /// Path of a file that marks a complete download.
    fn completion_marker(&self) -> PathBuf {
        self.directory.join("complete")
    }

    fn debootstrap(&self) -> Command {
        Command::new("debootstrap")
            .args(["--download-only", "--variant=minbase", "--include=mysql-server-core", "sid"])
            .args([&self.directory])
    }

    fn mark_complete(&self) -> Command {
        Command::new("touch").args([self.completion_marker()])
    }

    async fn fetch(&self) -> Result<(), XtaskError> {
        let step = Step::start("Downloading MySQL 9 (Debian unstable, once)");
        remove_dir(&self.directory)?;
        self.debootstrap().retry_in_step(&step, STEP_TIMEOUT).await?;
        self.mark_complete().run().await?;
        step.done();
        Ok(())
    }
}

/// Unpacks MySQL into its own directory without installing it. No package script runs, and nothing is mounted.
async fn unpack_mysql() -> Result<(), XtaskError> {
    let root = toolchain::mysql_root();
    if root.exists() {
        return Ok(());
    }
    let step = Step::start("Unpacking MySQL 9 (once)");
    let download_dir = MysqlPackages::new().directory;
    unpack(&packages_in(&download_dir.join("var/cache/apt/archives"))?, &root, &step).await?;
    if is_root() {
        remove_dir(&download_dir)?;
    } else {
        step.note(&format!("{} belongs to root and is no longer needed", download_dir.display()));
    }
    step.done();
    Ok(())
}

/// Unpacks MariaDB's plugins into their own directory. Installing their package would start a system-wide server.
async fn unpack_mariadb_plugins() -> Result<(), XtaskError> {
    if toolchain::mariadb_plugins().exists() {
        return Ok(());
    }
    unpack_package("mariadb-server", "MariaDB's plugins", &toolchain::mariadb_plugins_root()).await
}

/// Unpacks nginx into its own directory, unless nginx is installed.
async fn unpack_nginx() -> Result<(), XtaskError> {
    if toolchain::nginx().exists() {
        return Ok(());
    }
    unpack_package("nginx", "nginx", &toolchain::nginx_root()).await
}

/// Downloads a package and unpacks it without installing it, which does not require root.
async fn unpack_package(package: &str, content: &str, root: &Path) -> Result<(), XtaskError> {
    let step = Step::start(format!("Downloading and unpacking {content} (Debian package, once)"));
    let download_dir = root.with_extension("packages");
    recreate_dir(&download_dir)?;
    apt(&["download", package]).current_dir(&download_dir).retry_in_step(&step, STEP_TIMEOUT).await?;
    unpack(&packages_in(&download_dir)?, root, &step).await?;
    remove_dir(&download_dir)?;
    step.done();
    Ok(())
}

/// Unpacks packages into a temporary directory and renames it to `root` when it is complete.
async fn unpack(packages: &[PathBuf], root: &Path, step: &Step) -> Result<(), XtaskError> {
    let unpacked = root.with_extension("unpacked");
    recreate_dir(&unpacked)?;
    for package in packages {
        Command::new("dpkg-deb").args(["-x"]).args([package, &unpacked]).run_in_step(step, STEP_TIMEOUT).await?;
    }
    fs::rename(&unpacked, root).map_err(|cause| XtaskError::File { operation: "rename", path: unpacked, cause })
}

fn packages_in(directory: &Path) -> Result<Vec<PathBuf>, XtaskError> {
    let failed = |cause| XtaskError::File { operation: "read", path: directory.to_owned(), cause };
    let mut packages = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            packages.push(path);
        }
    }
    Ok(packages)
}

/// Installs the official SDK and other clients in a Python virtual environment.
async fn install_clients() -> Result<(), XtaskError> {
    const OPTIONS: [&str; 6] = ["--disable-pip-version-check", "--no-input", "--retries", "3", "--timeout", "60"];
    let python = toolchain::clients_python();
    if Command::new(&python)
        .args(["-c", toolchain::CLIENT_VERSION_CHECK, toolchain::CLIENT_REQUIREMENTS])
        .output_if_success()
        .await
        .is_some()
    {
        return Ok(());
    }
    let environment = toolchain::clients_dir();
    if !python.starts_with(&environment) {
        return Err(XtaskError::MissingClients { python });
    }
    let step = Step::start("Installing the official SDK and other clients (Python, once)");
    remove_dir(&environment)?;
    Command::new("/usr/bin/python3").args(["-m", "venv"]).args([&environment]).run_in_step(&step, STEP_TIMEOUT).await?;
    Command::new(&python)
        .args(["-m", "pip", "install"])
        .args(OPTIONS)
        .args(["-r", toolchain::CLIENT_REQUIREMENTS])
        .retry_in_step(&step, STEP_TIMEOUT)
        .await?;
    step.done();
    Ok(())
}

fn recreate_dir(directory: &Path) -> Result<(), XtaskError> {
    remove_dir(directory)?;
    fs::create_dir_all(directory).map_err(|cause| XtaskError::File {
        operation: "create",
        path: directory.to_owned(),
        cause,
    })
}

fn remove_dir(directory: &Path) -> Result<(), XtaskError> {
    match fs::remove_dir_all(directory) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(XtaskError::File { operation: "remove", path: directory.to_owned(), cause })
        }
        _ => Ok(()),
    }
}
