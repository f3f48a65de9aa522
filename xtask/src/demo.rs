//! `cargo xtask demo`: Clew at work on a database with stuck sessions, from nothing to a CSV.

mod service;
mod stuck;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::{Flavor, Server, ServerOptions};

use self::service::Service;
use self::stuck::{READER_PASSWORD, StuckSessions};
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step, say};
use crate::{interrupt, page, servers, workspace};

/// How long sessions are stuck before they are looked at, so that there are ages to see.
const RIPENING: Duration = Duration::from_secs(3);
/// Rows of the CSV that are printed.
const SHOWN_ROWS: usize = 5;

/// All that is up.
struct Stage {
    clew: PathBuf,
    server: Server,
    stuck: StuckSessions,
    service: Service,
    instance: String,
    node: String,
    csv: PathBuf,
}

/// Plays the demo. Ctrl-C ends it at any moment; nothing of it is left running then either.
pub(crate) async fn run(keep: bool) -> Result<(), XtaskError> {
    let stage = tokio::select! {
        played = play() => played?,
        () = interrupt::received() => return Err(XtaskError::Interrupted),
    };
    if keep {
        tell_how_to_use(&stage)?;
        interrupt::received().await;
    } else {
        tell_what_is_next(&stage.csv);
    }
    stop(stage).await
}

async fn play() -> Result<Stage, XtaskError> {
    steps::heading("What the demo needs");
    servers::install_for_demo().await?;
    page::build_if_possible().await?;
    let clew = workspace::build_clew(&[]).await?;

    steps::heading("A database with stuck sessions");
    let server = start_server().await?;
    let stuck = hold_sessions(&server).await?;
    let url = stuck.url();

    steps::heading("One command, no server, no state");
    let snapshot = Command::new(&clew).args(["snapshot", url.as_str(), "--format", "table"]);
    show(&snapshot.env("CLEW_DB_PASSWORD", READER_PASSWORD)).await?;

    steps::heading("The same through the TaurusDB API");
    let service = Service::start(&clew).await?;
    let (instance, node) = service.add_instance(&url).await?;
    let csv = workspace::root().join("demo").join("sessions.csv");
    collect(&service, &instance, &node, &csv).await?;

    steps::heading("What came of it");
    print_first_rows(&csv)?;
    Ok(Stage { clew, server, stuck, service, instance, node, csv })
}

async fn start_server() -> Result<Server, XtaskError> {
    let step = Step::start("Starting a private MariaDB");
    let server = Server::start(Flavor::MariaDb, &ServerOptions::default()).await?;
    step.done_with(&format!("port {}", server.port()));
    Ok(server)
}

async fn hold_sessions(server: &Server) -> Result<StuckSessions, XtaskError> {
    let step = Step::start("Opening transactions, lock waits and a long query");
    let stuck = StuckSessions::open(server).await?;
    step.detail("letting them wait for a moment");
    tokio::time::sleep(RIPENING).await;
    step.done_with(&format!("{} sessions", stuck.count()));
    Ok(stuck)
}

/// Shows a command as it would be typed, then what it says.
async fn show(command: &Command) -> Result<(), XtaskError> {
    say(&format!("$ {}\n", command.shown()));
    command.run().await
}

async fn collect(service: &Service, instance: &str, node: &str, csv: &Path) -> Result<(), XtaskError> {
    let folder = csv.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|cause| XtaskError::File {
        doing: "make",
        path: folder.to_owned(),
        cause,
    })?;
    let file = csv.to_string_lossy();
    say("");
    show(&service.client(&["collect", "--instance", instance, "--node", node, "-o", &file])).await
}

fn print_first_rows(csv: &Path) -> Result<(), XtaskError> {
    let text = std::fs::read_to_string(csv).map_err(|cause| XtaskError::File {
        doing: "read",
        path: csv.to_owned(),
        cause,
    })?;
    let records = records(&text);
    for record in records.iter().take(SHOWN_ROWS + 1) {
        say(record);
    }
    say(&format!("…\n{} sessions in {}", records.len().saturating_sub(1), csv.display()));
    Ok(())
}

/// The records of a CSV; a line break inside quotes does not end one.
fn records(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let ends_record = |c: char| {
        quoted ^= c == '"';
        c == '\n' && !quoted
    };
    text.split_terminator(ends_record).map(|record| record.trim_end_matches('\r')).collect()
}

fn tell_what_is_next(csv: &Path) {
    say(&format!(
        "\nNext:\n  open {}\n  cargo xtask demo --keep          the same, left up to try commands on\n  \
         cargo run -- snapshot --help     your own server: clew snapshot mysql://user@host:port/\n  \
         README.md                        the tour: doctor, init, serve, collect, the SDK",
        csv.display()
    ));
}

fn tell_how_to_use(stage: &Stage) -> Result<(), XtaskError> {
    let Stage { stuck, service, instance, node, .. } = stage;
    let (clew, url) = (stage.clew.display(), stuck.url());
    let settings = service.write_settings()?;
    let who = service.credentials();
    say(&format!(
        "\nAll of it stays up until Ctrl-C. In another terminal:\n\n  \
         source {}\n  \
         {clew} snapshot {url}\n  \
         {clew} doctor {url}\n  \
         {clew} instance list\n  \
         {clew} collect --instance {instance} --node {node} --filter slow --threshold 1 -o slow.csv\n\n\
         The page is at {}: sign in to the domain {} as {} with the password {}\n\n\
         Ctrl-C stops everything and removes the database.",
        settings.display(),
        service.endpoint(),
        who.domain_name,
        who.user,
        who.password,
    ));
    Ok(())
}

async fn stop(stage: Stage) -> Result<(), XtaskError> {
    say("");
    let step = Step::start("Stopping everything");
    stage.service.stop().await?;
    drop(stage.stuck);
    drop(stage.server);
    step.done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_inside_quotes_ends_no_record() {
        let text = "id,statement\r\n1,\"SELECT\n\"\"a\"\"\r\n\"\r\n2,\r\n";
        assert_eq!(records(text), ["id,statement", "1,\"SELECT\n\"\"a\"\"\r\n\"", "2,"]);
    }
}
