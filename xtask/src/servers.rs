//! Servers and the official SDK that tests and the demo run against. [`clew_testkit::setup`] says what they are and where they
//! are kept; here they are put there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::setup;

use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::Step;

/// For one try of one download.
const LIMIT: Duration = Duration::from_mins(15);

/// MariaDB alone, for the demo.
pub(crate) async fn install_for_demo() -> Result<(), XtaskError> {
    install_packages(&setup::MARIADB_PACKAGES).await
}

/// Everything that a test may ask for.
pub(crate) async fn install_for_tests() -> Result<(), XtaskError> {
    install_packages(&[&setup::MARIADB_PACKAGES[..], &setup::TEST_PACKAGES[..]].concat()).await?;
    // One at a time: of two tasks that want the same, the second finds it done.
    let _lock = setup::lock()?;
    install_mysql().await?;
    install_sdk().await
}

/// Installs the Debian packages that are not there.
async fn install_packages(wanted: &[setup::Package]) -> Result<(), XtaskError> {
    let missing: Vec<_> = wanted.iter().filter(|package| !package.is_installed()).map(|package| package.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(", ");
    if !is_root().await {
        let command =
            format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {}", missing.join(" "));
        return Err(XtaskError::NeedsRoot { missing: names, command });
    }
    let step = Step::start(format!("Installing {names} (Debian packages, once)"));
    apt(&["update"]).retry_in(&step, LIMIT).await?;
    apt(&["install", "-y", "--no-install-recommends"]).args(missing).retry_in(&step, LIMIT).await?;
    step.done();
    Ok(())
}

/// apt-get that asks nothing and waits for nobody for long.
fn apt(arguments: &[&str]) -> Command {
    const OPTIONS: [&str; 8] = [
        "-q",
        "-o",
        "Acquire::http::Timeout=30",
        "-o",
        "Acquire::https::Timeout=30",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-oAPT::Color=0",
    ];
    Command::new("apt-get").args(OPTIONS).args(arguments.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive")
}

/// MySQL from Debian unstable, in a folder of its own: its packages are fetched and checked by debootstrap, and unpacked, but
/// not installed. So nothing of theirs runs, and nothing is mounted.
async fn install_mysql() -> Result<(), XtaskError> {
    let root = setup::mysql_root();
    if root.exists() {
        return Ok(());
    }
    let fetched = root.with_extension("packages");
    let unpacked = root.with_extension("unpacked");
    if !is_root().await {
        return Err(XtaskError::NeedsRoot {
            missing: "MySQL".to_owned(),
            command: format!(
                "sudo {}=\"{}\" $(command -v cargo) xtask test",
                setup::SERVERS_DIR_VARIABLE,
                setup::servers_dir().display()
            ),
        });
    }
    let step = Step::start("Fetching MySQL 9 (Debian unstable, once)");
    for folder in [&fetched, &unpacked] {
        remove(folder)?;
        fs::create_dir_all(folder).map_err(|cause| XtaskError::File { doing: "make", path: folder.clone(), cause })?;
    }
    let debootstrap = Command::new("debootstrap")
        .args(["--download-only", "--variant=minbase", "--include=mysql-server-core", "sid"])
        .args([&fetched]);
    debootstrap.retry_in(&step, LIMIT).await?;
    for package in packages_in(&fetched.join("var/cache/apt/archives"))? {
        Command::new("dpkg-deb").args(["-x"]).args([&package, &unpacked]).run_in(&step, LIMIT).await?;
    }
    remove(&fetched)?;
    fs::rename(&unpacked, &root).map_err(|cause| XtaskError::File { doing: "rename", path: unpacked, cause })?;
    step.done();
    Ok(())
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

/// The official SDK in a virtual environment of its own.
async fn install_sdk() -> Result<(), XtaskError> {
    let python = setup::sdk_python();
    if Command::new(&python).args(["-c", setup::SDK_PROBE]).answer_if_it_works().await.is_some() {
        return Ok(());
    }
    let environment = setup::sdk_dir();
    if !python.starts_with(&environment) {
        return Err(XtaskError::NoSdk { python });
    }
    let step = Step::start("Installing the official SDK (Python, once)");
    remove(&environment)?;
    Command::new("/usr/bin/python3").args(["-m", "venv"]).args([&environment]).run_in(&step, LIMIT).await?;
    Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--retries",
            "3",
            "--timeout",
            "60",
        ])
        .args(setup::SDK_REQUIREMENTS)
        .retry_in(&step, LIMIT)
        .await?;
    step.done();
    Ok(())
}

fn remove(folder: &Path) -> Result<(), XtaskError> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(XtaskError::File { doing: "remove", path: folder.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

/// Whether packages may be installed.
async fn is_root() -> bool {
    Command::new("id").args(["-u"]).answer_if_it_works().await.is_some_and(|answer| answer.trim() == "0")
}
