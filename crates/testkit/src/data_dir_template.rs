//! Template data directories for test database servers. Each server starts with a copy of a template.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::flavor::{Flavor, server_arguments_for_os_root_user};
use crate::server_error::ServerError;
use crate::test_tools;

pub(crate) fn copy_data_dir_template(flavor: Flavor, to: &Path) -> Result<(), ServerError> {
    copy_directory(&get_or_create_data_dir_template(flavor.name(), |folder| initialize_data_dir(flavor, folder))?, to)?;
    // If this file is missing, MySQL generates a new server UUID. Replication requires unique UUIDs.
    match std::fs::remove_file(to.join("auto.cnf")) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(ServerError::io("copy a data directory")(source))
        }
        _ => Ok(()),
    }
}

pub(crate) fn copy_directory(from: &Path, to: &Path) -> Result<(), ServerError> {
    run_command(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to), "copy a data directory")
}

/// Creates the template data directory with `initialize` if the template does not exist.
/// A template is created in a temporary directory and then renamed, so a crash leaves no partial template.
pub(crate) fn get_or_create_data_dir_template(
    name: &str,
    initialize: impl FnOnce(&Path) -> Result<(), ServerError>,
) -> Result<PathBuf, ServerError> {
    let template = test_tools::downloads_dir().join("templates").join(name);
    if template.exists() {
        return Ok(template);
    }
    let _lock = test_tools::acquire_downloads_dir_lock()?;
    if template.exists() {
        return Ok(template);
    }
    let unfinished = template.with_extension("unfinished");
    let prepared = std::fs::create_dir_all(template.parent().unwrap_or(&template))
        .and_then(|()| if unfinished.exists() { std::fs::remove_dir_all(&unfinished) } else { Ok(()) });
    prepared.map_err(ServerError::io("create a template data directory"))?;
    initialize(&unfinished)?;
    std::fs::rename(&unfinished, &template).map_err(ServerError::io("create a template data directory"))?;
    Ok(template)
}

fn initialize_data_dir(flavor: Flavor, data_dir: &Path) -> Result<(), ServerError> {
    let folder = data_dir.display();
    // The server would delete the temporary tables of other servers in the default directory.
    let temporary_dir = data_dir.parent().unwrap_or(data_dir);
    match flavor {
        Flavor::MariaDb => run_command(
            Command::new("mariadb-install-db")
                .env("TMPDIR", temporary_dir)
                .arg("--no-defaults")
                .args(server_arguments_for_os_root_user())
                .args([
                    &format!("--datadir={folder}"),
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    "--skip-name-resolve",
                    "--innodb-log-file-size=16M",
                ]),
            "create the MariaDB data directory",
        ),
        Flavor::MySql => {
            let mut command = flavor.build_server_command()?;
            run_command(
                command.env("TMPDIR", temporary_dir).args([
                    "--initialize-insecure",
                    &format!("--datadir={folder}"),
                    "--innodb-redo-log-capacity=16M",
                ]),
                "create the MySQL data directory",
            )
        }
    }
}

pub(crate) fn run_command(command: &mut Command, operation: &'static str) -> Result<(), ServerError> {
    let output = command.stdin(Stdio::null()).output().map_err(ServerError::io(operation))?;
    if output.status.success() {
        return Ok(());
    }
    let output_text = [output.stdout, output.stderr].concat();
    Err(ServerError::Failed { operation, log: String::from_utf8_lossy(&output_text).into_owned() })
}
