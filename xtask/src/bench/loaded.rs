//! Rows of a server with ten thousand sessions: snapshots, details, waits, and the API's way to the same.

use std::cell::RefCell;
use std::time::Duration;

use clew_testkit::{Flavor, Load, LoadSize, Server, ServerOptions, TEN_THOUSAND};

use super::Bench;
use super::asked;
use super::counts::{must_be, occurrences};
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::{Inventory, Served};
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};

/// A comparison on a loaded server.
struct Subject {
    row: Row,
    flavor: Flavor,
    clew: Clew,
    peer: Peer,
    /// Text that stands in Clew's answer once for each of what is counted, and how many those are.
    counted: (&'static str, fn(LoadSize) -> usize),
    /// The fewest lines of the peer's answer.
    peer_lines: fn(LoadSize) -> usize,
}

/// How Clew gets the answer.
#[derive(Clone, Copy)]
enum Clew {
    /// A command that is given the server's address.
    Command(&'static [&'static str]),
    /// `clew collect`.
    Collect,
    /// A client in this process.
    Client,
}

/// Whom it is compared with.
#[derive(Clone, Copy)]
enum Peer {
    /// The client program, sending what Clew reads.
    SameReads,
    /// The same, both under TLS.
    SameReadsUnderTls,
    /// The client program, sending this.
    Statements(&'static str),
    /// `clew snapshot`.
    Snapshot,
}

const SNAPSHOT: &[&str] = &["snapshot", "--format", "csv"];
const SESSIONS: (&str, fn(LoadSize) -> usize) = ("root,127.0.0.1:", |size| size.sessions);

/// What Clew joins, joined by the server.
const JOIN: &str = "SELECT p.id, p.user, p.host, p.db, p.command, p.time, p.state, p.info, t.trx_id, t.trx_state, \
     TIMESTAMPDIFF(SECOND, t.trx_started, NOW(6)), TIMESTAMPDIFF(SECOND, t.trx_wait_started, NOW(6)), t.trx_rows_locked, \
     t.trx_tables_locked, t.trx_rows_modified FROM information_schema.processlist p \
     LEFT JOIN information_schema.innodb_trx t ON t.trx_mysql_thread_id = p.id";

const fn snapshot(name: &'static str, flavor: Flavor) -> Subject {
    Subject {
        row: Row {
            name,
            measure: "`clew snapshot` to CSV, 10,000 sessions",
            against: "the `mariadb` client, the same two statements, to a file",
            compared: Compared::Share,
            reach: Reach::AtMost(1.03),
            unit: "s",
            pairs: 41,
        },
        flavor,
        clew: Clew::Command(SNAPSHOT),
        peer: Peer::SameReads,
        counted: SESSIONS,
        peer_lines: |size| size.sessions + size.transactions,
    }
}

const fn collect(name: &'static str, flavor: Flavor) -> Subject {
    Subject {
        row: Row {
            name,
            measure: "`clew collect`: the same through the API, with the start of the program",
            against: "`clew snapshot`",
            compared: Compared::Share,
            reach: Reach::AtMost(1.3),
            unit: "s",
            pairs: 21,
        },
        flavor,
        clew: Clew::Collect,
        peer: Peer::Snapshot,
        counted: SESSIONS,
        peer_lines: |size| size.sessions,
    }
}

const fn api(name: &'static str, flavor: Flavor) -> Subject {
    let collect = collect(name, flavor);
    let measure = "the same through the API, POST to last byte, by a program that runs already";
    Subject { row: Row { measure, ..collect.row }, clew: Clew::Client, ..collect }
}

static SUBJECTS: [Subject; 10] = [
    snapshot("snapshot-mysql", Flavor::MySql),
    Subject {
        row: Row {
            name: "snapshot-mysql-tls",
            against: "the same client, both under TLS",
            ..snapshot("", Flavor::MySql).row
        },
        peer: Peer::SameReadsUnderTls,
        ..snapshot("", Flavor::MySql)
    },
    snapshot("snapshot-mariadb", Flavor::MariaDb),
    Subject {
        row: Row {
            name: "join-mariadb",
            measure: "`clew snapshot` to CSV, 10,000 sessions",
            against: "the client with the join in SQL",
            compared: Compared::TimesFaster,
            reach: Reach::AtLeast(40.0),
            unit: "s",
            pairs: 21,
        },
        peer: Peer::Statements(JOIN),
        peer_lines: |size| size.sessions,
        ..snapshot("", Flavor::MariaDb)
    },
    Subject {
        row: Row {
            name: "detail-mysql",
            measure: "`clew snapshot --detail`, 10,000 sessions",
            against: "the client with `sys.session`, then `sys.innodb_lock_waits`",
            compared: Compared::TimesFaster,
            reach: Reach::AtLeast(70.0),
            unit: "s",
            pairs: 9,
        },
        flavor: Flavor::MySql,
        clew: Clew::Command(&["snapshot", "--detail", "--format", "csv"]),
        peer: Peer::Statements("SELECT * FROM sys.session; SELECT * FROM sys.innodb_lock_waits"),
        counted: (",clew-testkit,", |size| size.sessions),
        peer_lines: |size| size.sessions + size.waiters,
    },
    Subject {
        row: Row {
            name: "locks-mysql",
            measure: "`clew locks`, 10,000 sessions, 100 waiters",
            against: "the client with `sys.innodb_lock_waits`",
            compared: Compared::TimesFaster,
            reach: Reach::AtLeast(20.0),
            unit: "s",
            pairs: 9,
        },
        flavor: Flavor::MySql,
        clew: Clew::Command(&["locks"]),
        peer: Peer::Statements("SELECT * FROM sys.innodb_lock_waits"),
        counted: ("\n100 wait on 127.0.0.1", |size| size.waiters / 100),
        peer_lines: |size| size.waiters,
    },
    collect("collect-mysql", Flavor::MySql),
    collect("collect-mariadb", Flavor::MariaDb),
    api("api-mysql", Flavor::MySql),
    api("api-mariadb", Flavor::MariaDb),
];

/// All rows of this family.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    SUBJECTS.iter().map(|subject| subject.row)
}

/// One server at a time: each has ten thousand threads.
pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    let mut figures = Vec::new();
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let of_flavor = SUBJECTS.iter().filter(|subject| subject.flavor == flavor);
        let wanted: Vec<&Subject> = of_flavor.filter(|subject| bench.wanted.has(subject.row.name)).collect();
        if wanted.is_empty() {
            continue;
        }
        steps::heading(&format!("{flavor} with {} sessions", TEN_THOUSAND.sessions));
        figures.extend(on_server(bench, flavor, &wanted).await?);
    }
    Ok(figures)
}

async fn on_server(bench: &Bench, flavor: Flavor, subjects: &[&Subject]) -> Result<Vec<Figures>, XtaskError> {
    let step = Step::start("Starting the server and its sessions");
    let max_connections = u32::try_from(TEN_THOUSAND.sessions + 100).unwrap_or(u32::MAX);
    let server = bench.start(flavor, &ServerOptions { max_connections, arguments: arguments(flavor) }).await?;
    let load = Load::start(&server, TEN_THOUSAND).await.map_err(|cause| XtaskError::Load { cause })?;
    let inventory = Inventory::of(&bench.clew, &[url(&server, "off")], 1).await?;
    let service = inventory.serve(None).await?;
    let snapshot = command(bench, SNAPSHOT, &server, "off");
    let reads = asked::by(&snapshot, &server).await?.reads()?;
    step.done();
    let stage = Stage { bench, server: &server, size: load.size(), service, snapshot, reads };
    let mut figures = Vec::new();
    for subject in subjects {
        figures.push(stage.compare(subject, &inventory).await?);
    }
    stage.service.stop().await?;
    Ok(figures)
}

/// What a comparison takes. Nothing is under TLS unless a row says so: the client program does not ask for it by itself.
struct Stage<'a> {
    bench: &'a Bench,
    server: &'a Server,
    size: LoadSize,
    service: Served<'a>,
    snapshot: Command,
    reads: String,
}

impl Stage<'_> {
    async fn compare(&self, subject: &Subject, inventory: &Inventory) -> Result<Figures, XtaskError> {
        let Some(place) = inventory.nodes.first() else { return Ok(Figures::new(subject.row)) };
        let (clew_file, peer_file) = (self.bench.file("clew"), self.bench.file("peer"));
        let (text, count) = subject.counted;
        let peer = match subject.peer {
            Peer::SameReads => client(self.server, &["--skip-ssl"], &self.reads),
            Peer::SameReadsUnderTls => client(self.server, &["--ssl"], &self.reads),
            Peer::Statements(statements) => client(self.server, &["--skip-ssl"], statements),
            Peer::Snapshot => self.snapshot.clone(),
        };
        let under_tls = matches!(subject.peer, Peer::SameReadsUnderTls);
        let delays = RefCell::new(Vec::new());
        let clew = async || {
            let took = match subject.clew {
                Clew::Command(arguments) => {
                    let tls = if under_tls { "required" } else { "off" };
                    command(self.bench, arguments, self.server, tls).time_to_file(&clew_file).await?
                }
                Clew::Collect => self.service.command(place).time_to_file(&clew_file).await?,
                Clew::Client => {
                    let (took, delay) = self.service.time_to_file(place, &clew_file).await?;
                    delays.borrow_mut().extend(delay);
                    took
                }
            };
            must_be(subject.row.name, occurrences(&clew_file, text)?, count(self.size) as u64)?;
            Ok(took.as_secs_f64())
        };
        let peer = async || {
            let took = peer.time_to_file(&peer_file).await?;
            let (found, fewest) = (occurrences(&peer_file, "\n")?, (subject.peer_lines)(self.size) as u64);
            if found < fewest {
                return Err(XtaskError::Count { command: peer.shown(), found, expected: fewest });
            }
            Ok(took.as_secs_f64())
        };
        let figures = in_turn(subject.row, clew, peer).await?;
        Ok(match delays.into_inner().into_iter().max() {
            Some(longest) => figures.noting(delay(longest)),
            None => figures,
        })
    }
}

fn delay(longest: Duration) -> String {
    format!(
        "From the end of a collection, by the service's log, to when its client knew: at most {:.0} ms.",
        longest.as_secs_f64() * 1000.0
    )
}

/// `clew …`, with time enough for a busy machine.
fn command(bench: &Bench, arguments: &[&str], server: &Server, tls: &str) -> Command {
    let url = url(server, tls);
    Command::new(&bench.clew).args(arguments.iter().copied()).args([url.as_str(), "--timeout", "300"])
}

fn url(server: &Server, tls: &str) -> String {
    format!("{}?tls={tls}", server.url())
}

/// The client program, sending these statements.
fn client(server: &Server, tls: &[&str], statements: &str) -> Command {
    let port = server.port().to_string();
    Command::new("mariadb")
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port", port.as_str(), "--user=root"])
        .args(tls.iter().copied())
        .args(["--batch", "--execute", statements])
}

/// As servers come, with room.
fn arguments(flavor: Flavor) -> Vec<String> {
    match flavor {
        Flavor::MySql => vec!["--innodb-buffer-pool-size=256M".to_owned()],
        Flavor::MariaDb => vec!["--innodb-buffer-pool-size=256M".to_owned(), "--performance-schema=ON".to_owned()],
    }
}
