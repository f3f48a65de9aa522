//! Rows of the HTTP side, beside nginx: downloads and small answers.

mod downloads;
mod nginx;

use std::net::SocketAddr;
use std::path::Path;

use clew_testkit::{FakeOptions, FakeServer, Fault};

use self::downloads::Download;
use self::nginx::Nginx;
use super::Bench;
use super::counts::{must_be, occurrences};
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::{Inventory, Served, SignedGet};
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};

/// A download row, with its clients and how often each of them downloads in a run.
struct Downloads {
    row: Row,
    clients: usize,
    times: usize,
}

const DOWNLOADS: [Downloads; 2] = [
    Downloads {
        row: Row {
            name: "download-32",
            measure: "download of a 100 MB result, 32 clients",
            against: "nginx with sendfile, the same file",
            compared: Compared::Share,
            reach: Reach::AtLeast(0.9),
            unit: "MiB/s",
            pairs: 11,
        },
        clients: 32,
        times: 1,
    },
    Downloads {
        row: Row {
            name: "download-1",
            measure: "download of a 100 MB result, one client",
            against: "nginx with sendfile, the same file",
            compared: Compared::Share,
            reach: Reach::AtLeast(0.8),
            unit: "MiB/s",
            pairs: 21,
        },
        clients: 1,
        times: 8,
    },
];

const STATUS: Row = Row {
    name: "status",
    measure: "task status with signature check and policy, 64 connections",
    against: "nginx returning the same body, a constant",
    compared: Compared::Share,
    reach: Reach::AtLeast(0.6),
    unit: "requests/s",
    pairs: 11,
};

/// All rows of this family.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    DOWNLOADS.iter().map(|downloads| downloads.row).chain([STATUS])
}

/// Sessions whose result has a little more than 100 MB.
const SESSIONS: u64 = 100_000;
/// Bytes of a statement: with the rest of its row about 1 KiB.
const STATEMENT: usize = 960;

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    if !rows().any(|row| bench.wanted.has(row.name)) {
        return Ok(Vec::new());
    }
    steps::heading("HTTP beside nginx");
    let step = Step::start("Collecting a result of 100 MB");
    let options = FakeOptions { sessions: SESSIONS, transactions: 1000, fault: Fault::None };
    let started = FakeServer::start_with_statements_of(STATEMENT, options).await;
    let fake = started.map_err(|cause| XtaskError::Load { cause })?;
    let inventory = Inventory::of(&bench.clew, &[fake.url()], 1).await?;
    let served = inventory.serve(None).await?;
    let Some(place) = inventory.nodes.first() else { return Ok(Vec::new()) };
    let id = served.collect(place).await?;
    let file = bench.file("result.csv");
    let bytes = served.download(place, &id, &file).await?;
    must_be("rows of a result", occurrences(&file, "FOR UPDATE")?, SESSIONS)?;
    let status = served.signed(place, "realtime-session-task", &id);
    let body = downloads::body(address(&served)?, &status)?;
    let nginx = Nginx::start(bench.file("nginx"), &file, &body).await?;
    step.done_with(&format!("{bytes} bytes"));

    let mut figures = Vec::new();
    for Downloads { row, clients, times } in DOWNLOADS.iter().filter(|one| bench.wanted.has(one.row.name)) {
        let signed = served.signed(place, "realtime-session-result", &id);
        let download = |address, get| Download { address, get, clients: *clients, times: *times, bytes };
        let from_clew = download(address(&served)?, signed);
        let from_nginx = download(nginx.address, SignedGet::plain(nginx::RESULT, "127.0.0.1"));
        figures.push(in_turn(*row, async || from_clew.rate().await, async || from_nginx.rate().await).await?);
    }
    if bench.wanted.has(STATUS.name) {
        // Signed anew: a signature is good for a quarter of an hour.
        let status = served.signed(place, "realtime-session-task", &id);
        let constant = SignedGet::plain(nginx::CONSTANT, "127.0.0.1");
        let clew = async || requests(&format!("http://{}", served.address()), &status).await;
        let peer = async || requests(&format!("http://{}", nginx.address), &constant).await;
        figures.push(in_turn(STATUS, clew, peer).await?);
    }
    nginx.stop().await;
    served.stop().await?;
    Ok(figures)
}

fn address(served: &Served<'_>) -> Result<SocketAddr, XtaskError> {
    served.address().parse().map_err(|error: std::net::AddrParseError| XtaskError::Answer {
        command: "clew serve".to_owned(),
        cause: error.to_string(),
        answer: served.address().to_owned(),
    })
}

/// Requests a second, by wrk: all of them must be answered with 200.
async fn requests(base: &str, get: &SignedGet) -> Result<f64, XtaskError> {
    // wrk adds a second `Host` unless it is given one that is written so.
    let name = |name: &str| if name == "host" { "Host".to_owned() } else { name.to_owned() };
    let headers =
        get.headers.iter().flat_map(|(header, value)| ["-H".to_owned(), format!("{}: {value}", name(header))]);
    let wrk = Command::new("wrk")
        .args(["--threads", "2", "--connections", "64", "--duration", "2s"])
        .args(headers)
        .args([format!("{base}{}", get.target)]);
    let answer = wrk.answer().await?;
    let rate = answer.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    match rate {
        Some(rate) if !answer.contains("Non-2xx") && !answer.contains("Socket errors") => Ok(rate),
        _ => Err(XtaskError::Answer {
            command: format!("wrk {base}{}", get.target),
            cause: "not all requests were answered with 200".to_owned(),
            answer,
        }),
    }
}

/// Where a path stands in nginx's configuration.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
