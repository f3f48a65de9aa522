//! Template data directories: created once per kind of server, and copied for each server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::flavor::{Flavor, root_arguments};
use crate::server_error::ServerError;
use crate::toolchain;

/// Copies the template to a new data directory.
pub(crate) fn copy_template(flavor: Flavor, to: &Path) -> Result<(), ServerError> {
    copy_folder(&get_or_create(flavor.name(), |folder| initialize(flavor, folder))?, to)?;
    // MySQL creates a new server UUID if this file is missing. Servers with the same UUID cannot replicate.
    match std::fs::remove_file(to.join("auto.cnf")) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(ServerError::Io { doing: "copy a data directory", source })
        }
        _ => Ok(()),
    }
}

/// Copies a directory recursively.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), ServerError> {
    run_command(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to), "copy a data directory")
}

/// Returns the template of this name, and creates it if it is missing. A rename publishes a complete template.
pub(crate) fn get_or_create(
    name: &str,
    initialize: impl FnOnce(&Path) -> Result<(), ServerError>,
) -> Result<PathBuf, ServerError> {
    let template = toolchain::servers_dir().join("templates").join(name);
    if template.exists() {
        return Ok(template);
    }
    let _lock = toolchain::lock()?;
    if template.exists() {
        return Ok(template);
    }
    let unfinished = template.with_extension("unfinished");
    let prepared = std::fs::create_dir_all(template.parent().unwrap_or(&template))
        .and_then(|()| if unfinished.exists() { std::fs::remove_dir_all(&unfinished) } else { Ok(()) });
    prepared.map_err(|source| ServerError::Io { doing: "make a data directory", source })?;
    initialize(&unfinished)?;
    std::fs::rename(&unfinished, &template)
        .map_err(|source| ServerError::Io { doing: "make a data directory", source })?;
    Ok(template)
}

fn initialize(flavor: Flavor, folder: &Path) -> Result<(), ServerError> {
    let folder = folder.display();
    match flavor {
        Flavor::MariaDb => run_command(
            Command::new("mariadb-install-db").arg("--no-defaults").args(root_arguments()).args([
                &format!("--datadir={folder}"),
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                "--innodb-log-file-size=16M",
            ]),
            "make MariaDB's data directory",
        ),
        Flavor::MySql => {
            let mut command = flavor.command()?;
            run_command(
                command.args([
                    "--initialize-insecure",
                    &format!("--datadir={folder}"),
                    "--innodb-redo-log-capacity=16M",
                ]),
                "make MySQL's data directory",
            )
        }
    }
}

pub(crate) fn run_command(command: &mut Command, doing: &'static str) -> Result<(), ServerError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| ServerError::Io { doing, source })?;
    if output.status.success() {
        return Ok(());
    }
    let output_text = [output.stdout, output.stderr].concat();
    Err(ServerError::Failed { doing, log: String::from_utf8_lossy(&output_text).into_owned() })
}
