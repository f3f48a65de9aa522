//! Rows of the HTTP side, beside nginx: downloads and small answers.

mod downloads;
mod nginx;
mod small;

use std::net::SocketAddr;
use std::path::Path;

use clew_testkit::{FakeOptions, FakeServer, Fault};

use self::downloads::Download;
use self::small::Asker;
use super::Bench;
use super::counts::{must_be, occurrences};
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::{Inventory, Served, SignedGet};
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

/// The same questions by two clients. The first costs about as much as an answer, as clients do; the second shows what is left of a
/// server when the client is nearly nothing.
const STATUS: [(Row, Asker); 2] = [
    (
        Row {
            name: "status",
            measure: "task status with signature check and policy, 64 connections of hey",
            against: "nginx returning the same body, a constant",
            compared: Compared::Share,
            reach: Reach::AtLeast(0.6),
            unit: "requests/s",
            pairs: 11,
        },
        Asker::Hey,
    ),
    (
        Row {
            name: "status-wrk",
            measure: "the same, 64 connections of wrk",
            against: "nginx returning the same body, a constant",
            compared: Compared::Share,
            reach: Reach::AtLeast(0.6),
            unit: "requests/s",
            pairs: 11,
        },
        Asker::Wrk,
    ),
];

/// All rows of this family.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    DOWNLOADS.iter().map(|downloads| downloads.row).chain(STATUS.iter().map(|(row, _)| *row))
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
    let reader = inventory.reader().await?;
    let served = inventory.serve(None).await?;
    let Some(place) = inventory.nodes.first() else { return Ok(Vec::new()) };
    let id = served.collect(place).await?;
    let file = bench.file("result.csv");
    let bytes = served.download(place, &id, &file).await?;
    must_be("rows of a result", occurrences(&file, "FOR UPDATE")?, SESSIONS)?;
    let status = served.signed(&reader, place, "realtime-session-task", &id);
    let body = downloads::body(address(&served)?, &status)?;
    let nginx = nginx::start(&file, &body).await?;
    step.done_with(&format!("{bytes} bytes"));

    let mut figures = Vec::new();
    for Downloads { row, clients, times } in DOWNLOADS.iter().filter(|one| bench.wanted.has(one.row.name)) {
        let signed = served.signed(&reader, place, "realtime-session-result", &id);
        let download = |address, get| Download { address, get, clients: *clients, times: *times, bytes };
        let from_clew = download(address(&served)?, signed);
        let from_nginx = download(nginx.address(), SignedGet::plain(nginx::RESULT, "127.0.0.1"));
        figures.push(in_turn(*row, async || from_clew.rate().await, async || from_nginx.rate().await).await?);
    }
    for (row, asker) in STATUS.iter().filter(|(row, _)| bench.wanted.has(row.name)) {
        // Signed anew: a signature is good for a quarter of an hour.
        let status = served.signed(&reader, place, "realtime-session-task", &id);
        let constant = SignedGet::plain(nginx::CONSTANT, "127.0.0.1");
        let clew = async || asker.requests(&format!("http://{}", served.address()), &status).await;
        let peer = async || asker.requests(&format!("http://{}", nginx.address()), &constant).await;
        figures.push(in_turn(*row, clew, peer).await?);
    }
    drop(nginx);
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

/// Where a path stands in nginx's configuration.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
