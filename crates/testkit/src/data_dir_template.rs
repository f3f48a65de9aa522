//! Template data directories for test database servers. Each server starts with a copy of a template.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::server_error::ServerError;
use crate::server_release::{ServerRelease, server_arguments_for_os_root_user};
use crate::test_tools;

pub(crate) fn copy_data_dir_template(release: ServerRelease, to: &Path) -> Result<(), ServerError> {
    copy_directory(
        &get_or_create_data_dir_template(release.data_dir_template_name(), |folder| {
            initialize_data_dir(release, folder)
        })?,
        to,
    )?;
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

fn initialize_data_dir(release: ServerRelease, data_dir: &Path) -> Result<(), ServerError> {
    let folder = data_dir.display();
    // The server would delete the temporary tables of other servers in the default directory.
    let temporary_dir = data_dir.parent().unwrap_or(data_dir);
    match release {
        ServerRelease::MariaDb10 | ServerRelease::MariaDb10Galera => run_command(
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
        ServerRelease::MariaDb11 | ServerRelease::MySql5 => run_system_table_scripts(release, data_dir, temporary_dir),
        ServerRelease::MySql9 => {
            let mut command = release.build_server_command()?;
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

/// Runs the scripts with `--bootstrap`, which reads SQL from standard input before any account exists.
fn run_system_table_scripts(release: ServerRelease, data_dir: &Path, temporary_dir: &Path) -> Result<(), ServerError> {
    const OPERATION: &str = "create the system tables";
    let mut sql = String::from("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n");
    for script in release.list_system_table_scripts() {
        sql.push_str(&std::fs::read_to_string(script).map_err(ServerError::io(OPERATION))?);
        sql.push('\n');
    }
    std::fs::create_dir_all(data_dir).map_err(ServerError::io(OPERATION))?;
    let mut input = tempfile::tempfile().map_err(ServerError::io(OPERATION))?;
    input.write_all(sql.as_bytes()).and_then(|()| input.rewind()).map_err(ServerError::io(OPERATION))?;
    let mut command = release.build_server_command()?;
    command.env("TMPDIR", temporary_dir).stdin(input).args([
        "--bootstrap",
        "--innodb-log-file-size=16M",
        "--max-allowed-packet=8M",
        &format!("--datadir={}", data_dir.display()),
        &format!("--tmpdir={}", temporary_dir.display()),
    ]);
    complete_command(command.output().map_err(ServerError::io(OPERATION))?, OPERATION)
}

pub(crate) fn run_command(command: &mut Command, operation: &'static str) -> Result<(), ServerError> {
    complete_command(command.stdin(Stdio::null()).output().map_err(ServerError::io(operation))?, operation)
}

fn complete_command(output: Output, operation: &'static str) -> Result<(), ServerError> {
    if output.status.success() {
        return Ok(());
    }
    let output_text = [output.stdout, output.stderr].concat();
    Err(ServerError::Failed { operation, log: String::from_utf8_lossy(&output_text).into_owned() })
}
