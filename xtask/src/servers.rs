//! Servers and client programs that tests and the demo run against. [`clew_testkit::setup`] says what they are and where they
//! are kept; here they are put there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::setup;

use crate::command::Command;
use crate::error::XtaskError;
use crate::processes::is_root;
use crate::steps::Step;

/// For one try of one download.
const LIMIT: Duration = Duration::from_mins(15);

/// MariaDB alone, for the demo.
pub(crate) async fn install_for_demo() -> Result<(), XtaskError> {
    let missing = missing(&setup::MARIADB_PACKAGES);
    if !missing.is_empty() && !is_root() {
        return Err(needs_root(&missing, None));
    }
    install_packages(&missing).await
}

/// Everything that a test may ask for.
pub(crate) async fn install_for_tests() -> Result<(), XtaskError> {
    // One at a time: of two tasks that want the same, the second finds it done.
    let _lock = setup::lock()?;
    let missing = missing(&[&setup::MARIADB_PACKAGES[..], &setup::TEST_PACKAGES[..]].concat());
    let to_fetch = MysqlPackages::to_fetch();
    if (!missing.is_empty() || to_fetch.is_some()) && !is_root() {
        return Err(needs_root(&missing, to_fetch.as_ref()));
    }
    install_packages(&missing).await?;
    if let Some(packages) = to_fetch {
        packages.fetch().await?;
    }
    unpack_mysql().await?;
    unpack_mariadb_plugins().await?;
    unpack_nginx().await?;
    install_clients().await
}

/// What the benchmark takes besides what tests do.
pub(crate) async fn install_for_bench() -> Result<(), XtaskError> {
    install_for_tests().await?;
    let _lock = setup::lock()?;
    let missing = missing(&setup::BENCH_PACKAGES);
    if !missing.is_empty() && !is_root() {
        return Err(needs_root(&missing, None));
    }
    install_packages(&missing).await
}

/// The packages that are not there.
fn missing(wanted: &[setup::Package]) -> Vec<&'static str> {
    wanted.iter().filter(|package| !package.is_installed()).map(|package| package.name).collect()
}

/// Says everything that root has to do as one command.
fn needs_root(packages: &[&str], mysql: Option<&MysqlPackages>) -> XtaskError {
    let mut commands = Vec::new();
    if !packages.is_empty() {
        let names = packages.join(" ");
        commands.push(format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}"));
    }
    if let Some(mysql) = mysql {
        commands.push(format!("sudo {} && sudo {}", mysql.debootstrap().shown(), mysql.mark_complete().shown()));
    }
    let missing = packages.iter().copied().chain(mysql.map(|_| "MySQL")).collect::<Vec<_>>().join(", ");
    XtaskError::NeedsRoot { missing, command: commands.join(" && ") }
}

async fn install_packages(missing: &[&'static str]) -> Result<(), XtaskError> {
    if missing.is_empty() {
        return Ok(());
    }
    let step = Step::start(format!("Installing {} (Debian packages, once)", missing.join(", ")));
    apt(&["update"]).retry_in(&step, LIMIT).await?;
    apt(&["install", "-y", "--no-install-recommends"]).args(missing.iter().copied()).retry_in(&step, LIMIT).await?;
    step.done();
    Ok(())
}

/// apt-get that asks nothing and waits for nobody for long.
fn apt(arguments: &[&str]) -> Command {
    const OPTIONS: [&str; 7] =
        ["-q", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30", "-o", "DPkg::Lock::Timeout=300"];
    Command::new("apt-get").args(OPTIONS).args(arguments.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive")
}

/// MySQL's packages from Debian unstable, with all that they need, fetched and checked by debootstrap, which only root may run.
struct MysqlPackages {
    folder: PathBuf,
}

impl MysqlPackages {
    fn here() -> Self {
        Self { folder: setup::mysql_root().with_extension("packages") }
    }

    /// Those that are not here yet; nothing if MySQL is, or if they are.
    fn to_fetch() -> Option<Self> {
        let packages = Self::here();
        (!setup::mysql_root().exists() && !packages.complete().exists()).then_some(packages)
    }

    /// A file that is there once they are all here.
    fn complete(&self) -> PathBuf {
        self.folder.join("complete")
    }

    fn debootstrap(&self) -> Command {
        Command::new("debootstrap")
            .args(["--download-only", "--variant=minbase", "--include=mysql-server-core", "sid"])
            .args([&self.folder])
    }

    fn mark_complete(&self) -> Command {
        Command::new("touch").args([self.complete()])
    }

    async fn fetch(&self) -> Result<(), XtaskError> {
        let step = Step::start("Fetching MySQL 9 (Debian unstable, once)");
        remove(&self.folder)?;
        self.debootstrap().retry_in(&step, LIMIT).await?;
        self.mark_complete().run().await?;
        step.done();
        Ok(())
    }
}

/// Puts MySQL into a folder of its own: unpacked, but not installed. So nothing of its packages runs, and nothing is mounted.
async fn unpack_mysql() -> Result<(), XtaskError> {
    let root = setup::mysql_root();
    if root.exists() {
        return Ok(());
    }
    let step = Step::start("Unpacking MySQL 9 (once)");
    let fetched = MysqlPackages::here().folder;
    unpack(&packages_in(&fetched.join("var/cache/apt/archives"))?, &root, &step).await?;
    if is_root() {
        remove(&fetched)?;
    } else {
        step.note(&format!("{} is root's and is needed no more", fetched.display()));
    }
    step.done();
    Ok(())
}

/// Puts MariaDB's plugins into a folder of their own: the package that has them would start a server of the whole machine.
async fn unpack_mariadb_plugins() -> Result<(), XtaskError> {
    if setup::mariadb_plugins().exists() {
        return Ok(());
    }
    unpack_package("mariadb-server", "MariaDB's plugins", &setup::mariadb_plugins_root()).await
}

/// Puts nginx into a folder of its own, as MySQL is, unless this machine has one.
async fn unpack_nginx() -> Result<(), XtaskError> {
    if setup::nginx().exists() {
        return Ok(());
    }
    unpack_package("nginx", "nginx", &setup::nginx_root()).await
}

/// Fetches a package, and unpacks it without installing it, which takes no root.
async fn unpack_package(package: &str, content: &str, root: &Path) -> Result<(), XtaskError> {
    let step = Step::start(format!("Fetching and unpacking {content} (Debian package, once)"));
    let fetched = root.with_extension("packages");
    make_anew(&fetched)?;
    apt(&["download", package]).in_folder(&fetched).retry_in(&step, LIMIT).await?;
    unpack(&packages_in(&fetched)?, root, &step).await?;
    remove(&fetched)?;
    step.done();
    Ok(())
}

/// Unpacks packages into a folder, which gets its name when it is whole.
async fn unpack(packages: &[PathBuf], root: &Path, step: &Step) -> Result<(), XtaskError> {
    let unpacked = root.with_extension("unpacked");
    make_anew(&unpacked)?;
    for package in packages {
        Command::new("dpkg-deb").args(["-x"]).args([package, &unpacked]).run_in(step, LIMIT).await?;
    }
    fs::rename(&unpacked, root).map_err(|cause| XtaskError::File { doing: "rename", path: unpacked, cause })
}

fn packages_in(folder: &Path) -> Result<Vec<PathBuf>, XtaskError> {
    let failed = |cause| XtaskError::File { doing: "read", path: folder.to_owned(), cause };
    let mut packages = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            packages.push(path);
        }
    }
    Ok(packages)
}

/// The official SDK and other clients in a virtual environment of their own.
async fn install_clients() -> Result<(), XtaskError> {
    const OPTIONS: [&str; 6] = ["--disable-pip-version-check", "--no-input", "--retries", "3", "--timeout", "60"];
    let python = setup::clients_python();
    if Command::new(&python).args(["-c", setup::CLIENTS_PROBE, setup::CLIENTS]).answer_if_it_works().await.is_some() {
        return Ok(());
    }
    let environment = setup::clients_dir();
    if !python.starts_with(&environment) {
        return Err(XtaskError::NoClients { python });
    }
    let step = Step::start("Installing the official SDK and other clients (Python, once)");
    remove(&environment)?;
    Command::new("/usr/bin/python3").args(["-m", "venv"]).args([&environment]).run_in(&step, LIMIT).await?;
    Command::new(&python)
        .args(["-m", "pip", "install"])
        .args(OPTIONS)
        .args(["-r", setup::CLIENTS])
        .retry_in(&step, LIMIT)
        .await?;
    step.done();
    Ok(())
}

fn make_anew(folder: &Path) -> Result<(), XtaskError> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(|cause| XtaskError::File { doing: "make", path: folder.to_owned(), cause })
}

fn remove(folder: &Path) -> Result<(), XtaskError> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(XtaskError::File { doing: "remove", path: folder.to_owned(), cause })
        }
        _ => Ok(()),
    }
}
