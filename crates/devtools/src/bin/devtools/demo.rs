//! `cargo xtask demo`: demonstrates Clew on a database server with blocked sessions.

mod blocked_sessions;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_devtools::clew_server::{ClewProcess, TemporaryDeployment};
use clew_devtools::command::Command;
use clew_devtools::progress::{self, Step, print_line};
use clew_devtools::{install, task_runner, web_page, workspace};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};

use self::blocked_sessions::{BlockedSessions, DEMO_DB_PASSWORD};

/// Delay before the first snapshot, so that the sessions have nonzero elapsed times.
const DELAY_BEFORE_FIRST_SNAPSHOT: Duration = Duration::from_secs(3);
const MAX_PRINTED_CSV_ROWS: usize = 5;

struct RunningDemo {
    clew: PathBuf,
    server: DatabaseServer,
    blocked: BlockedSessions,
    process: ClewProcess,
    deployment: TemporaryDeployment,
    instance: String,
    node: String,
    csv: PathBuf,
}

pub(crate) async fn run(keep: bool) -> Result<ExitCode, DevtoolsError> {
    let state = tokio::select! {
        started = start_demo() => started?,
        () = task_runner::wait_for_shutdown_signal() => return Ok(ExitCode::from(task_runner::INTERRUPTED_EXIT_STATUS)),
    };
    if keep {
        print_demo_instructions(&state)?;
        task_runner::wait_for_shutdown_signal().await;
    } else {
        print_next_steps(&state.csv);
    }
    stop_servers(state).await?;
    Ok(ExitCode::SUCCESS)
}

async fn start_demo() -> Result<RunningDemo, DevtoolsError> {
    progress::print_heading("Prerequisites of the demo");
    install::install_demo_prerequisites().await?;
    web_page::build_web_page_if_node_js_is_installed().await?;
    let clew = workspace::build_clew_with_cargo_profile("demo").await?;

    progress::print_heading("Database with blocked sessions");
    let server = start_server().await?;
    let blocked = create_blocked_sessions(&server).await?;
    let url = blocked.url();

    progress::print_heading("Snapshot without a Clew server");
    let snapshot = Command::new(&clew).args(["snapshot", url.as_str(), "--format", "table"]);
    print_and_run_command(&snapshot.env("CLEW_DB_PASSWORD", DEMO_DB_PASSWORD)).await?;

    progress::print_heading("Collection through the TaurusDB API");
    let step = Step::start("clew init");
    let deployment = TemporaryDeployment::init(&clew, Vec::new()).await?;
    step.complete_with_result("initial tenant with an access key");
    let step = Step::start("clew serve");
    let process = deployment.start_server(&[], "").await?;
    step.complete_with_result(process.endpoint());
    let step = Step::start("clew instance add");
    let instance = deployment.add_instance("demo", &[url], DEMO_DB_PASSWORD).await?;
    step.complete_with_result(&format!("instance {}", instance.id));
    let node = instance.nodes.into_iter().next().map(|node| node.id).unwrap_or_default();
    let csv = workspace::root_dir().join("demo").join("sessions.csv");
    let collect = ["collect", "--instance", &instance.id, "--node", &node, "-o", &csv.to_string_lossy()];
    collect_sessions_to_csv(&deployment.client_command(&process, &collect), &csv).await?;

    progress::print_heading("Result");
    print_first_csv_rows(&csv)?;
    Ok(RunningDemo { clew, server, blocked, process, deployment, instance: instance.id, node, csv })
}

async fn start_server() -> Result<DatabaseServer, DevtoolsError> {
    let step = Step::start("Starting a temporary MariaDB server");
    let server = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await?;
    step.complete_with_result(&format!("port {}", server.port()));
    Ok(server)
}

async fn create_blocked_sessions(server: &DatabaseServer) -> Result<BlockedSessions, DevtoolsError> {
    let step = Step::start("Opening transactions, lock waits and a long query");
    let blocked = BlockedSessions::open(server).await?;
    step.set_spinner_text("waiting for the sessions to age");
    tokio::time::sleep(DELAY_BEFORE_FIRST_SNAPSHOT).await;
    step.complete_with_result(&format!("{} sessions", blocked.session_count()));
    Ok(blocked)
}

async fn print_and_run_command(command: &Command) -> Result<(), DevtoolsError> {
    print_line(&format!("$ {}\n", command.command_line()));
    command.run().await
}

async fn collect_sessions_to_csv(collect: &Command, csv: &Path) -> Result<(), DevtoolsError> {
    let directory = csv.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(DevtoolsError::file_error("create", directory))?;
    print_line("");
    print_and_run_command(collect).await
}

fn print_first_csv_rows(csv: &Path) -> Result<(), DevtoolsError> {
    let text = std::fs::read_to_string(csv).map_err(DevtoolsError::file_error("read", csv))?;
    let records = split_csv_records(&text);
    for record in records.iter().take(MAX_PRINTED_CSV_ROWS + 1) {
        print_line(record);
    }
    print_line(&format!("…\n{} sessions in {}", records.len().saturating_sub(1), csv.display()));
    Ok(())
}

/// A line break inside quotes does not end a record.
fn split_csv_records(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let ends_record = |c: char| {
        quoted ^= c == '"';
        c == '\n' && !quoted
    };
    text.split_terminator(ends_record).map(|record| record.trim_end_matches('\r')).collect()
}

fn print_next_steps(csv: &Path) {
    print_line(&format!(
        "\nNext steps:\n  open {}\n  cargo xtask demo --keep          keep the servers running, to try commands\n  \
         cargo run -- snapshot --help     read your own server: clew snapshot mysql://user@host:port/\n  \
         README.md                        tour of the commands: doctor, init, serve, collect\n  \
         docs/sdk.md                      use of the official SDK",
        csv.display()
    ));
}

fn print_demo_instructions(state: &RunningDemo) -> Result<(), DevtoolsError> {
    let RunningDemo { blocked, deployment, instance, node, .. } = state;
    let (clew, url) = (state.clew.display(), blocked.url());
    let settings = write_environment_file(state)?;
    let credentials = &deployment.credentials;
    print_line(&format!(
        "\nThe servers run until Ctrl-C. Commands for another terminal:\n\n  \
         source {}\n  \
         {clew} snapshot {url}\n  \
         {clew} doctor {url}\n  \
         {clew} instance list\n  \
         {clew} collect --instance {instance} --node {node} --filter slow --threshold 1 -o slow.csv\n\n\
         The web page is at {}: sign in to the domain {} as {} with the password {}\n\n\
         Ctrl-C stops the servers and removes the database.",
        settings.display(),
        state.process.endpoint(),
        credentials.domain_name,
        credentials.user,
        credentials.password,
    ));
    Ok(())
}

/// The script has mode 0600, because it contains passwords and keys.
fn write_environment_file(state: &RunningDemo) -> Result<PathBuf, DevtoolsError> {
    let deployment = &state.deployment;
    let path = deployment.directory().join("env");
    let own = [
        ("CLEW_DATA_DIR", deployment.data_dir().display().to_string()),
        ("CLEW_DB_PASSWORD", DEMO_DB_PASSWORD.to_owned()),
    ];
    let settings = deployment.client_environment_variables(&state.process).into_iter().chain(own);
    let lines: Vec<String> = settings.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| file.write_all(lines.concat().as_bytes()));
    written.map_err(DevtoolsError::file_error("write", &path))?;
    Ok(path)
}

async fn stop_servers(state: RunningDemo) -> Result<(), DevtoolsError> {
    print_line("");
    let step = Step::start("Stopping the servers");
    state.process.stop().await?;
    drop(state.blocked);
    drop(state.server);
    step.complete();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_line_break_does_not_end_a_csv_record() {
        let text = "id,statement\r\n1,\"SELECT\n\"\"a\"\"\r\n\"\r\n2,\r\n";
        assert_eq!(split_csv_records(text), ["id,statement", "1,\"SELECT\n\"\"a\"\"\r\n\"", "2,"]);
    }
}
