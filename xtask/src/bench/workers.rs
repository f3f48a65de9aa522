//! Rows of many workers: whether twice as many collect twice as much.

use std::collections::BTreeMap;
use std::time::Duration;

use clew_testkit::{FakeFleet, FakeOptions, FakeServer, Fault, PostgreSql, S3Server};
use jiff::Timestamp;

use super::Bench;
use super::counts::must_be;
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::{Inventory, NodePlace, collected};
use crate::error::XtaskError;
use crate::service::{Home, Serving};
use crate::steps::{self, Step};

const TWO: Row = Row {
    name: "workers-2",
    measure: "collections of 2 `clew worker` on PostgreSQL and S3, nodes whose every answer takes 100 ms",
    against: "1 `clew worker`",
    compared: Compared::Share,
    reach: Reach::AtLeast(1.9),
    unit: "a second",
    pairs: 5,
};

const FOUR: Row = Row { name: "workers-4", measure: "the same of 4 `clew worker`", reach: Reach::AtLeast(3.6), ..TWO };

/// Each row with how many workers it has.
const ROWS: [(Row, usize); 2] = [(TWO, 2), (FOUR, 4)];

/// The way to a node and back.
const LATENCY: Duration = Duration::from_millis(100);
/// A worker is kept so small that it waits for its nodes and not for the processor: what is asked is whether workers stand in each
/// other's way, on a machine that has two cores for all of them, for PostgreSQL and for S3.
const CONFIGURATION: &str = "[collections]\nconcurrency = 16\n";
const NODES: usize = 128;
const NODES_PER_INSTANCE: usize = 16;
/// Collections for each worker.
const SHARE: usize = 200;

/// All rows of this family.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    ROWS.into_iter().map(|(row, _)| row)
}

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    if !rows().any(|row| bench.wanted.has(row.name)) {
        return Ok(Vec::new());
    }
    steps::heading("Workers");
    let step = Step::start("PostgreSQL, S3 and a fleet");
    let (metadata, results) = tokio::join!(PostgreSql::start(), S3Server::start());
    let (metadata, results) = (metadata?, results?);
    let options = FakeOptions { sessions: 20, transactions: 5, fault: Fault::Lags(LATENCY) };
    let fleet = FakeFleet::start(NODES, options).await.map_err(|cause| XtaskError::Load { cause })?;
    let urls: Vec<String> = fleet.nodes().iter().map(FakeServer::url).collect();
    let home = Home::init_with(&bench.clew, surroundings(&metadata, &results)).await?;
    let inventory = Inventory::fill(home, &urls, NODES_PER_INSTANCE).await?;
    step.done();

    let mut figures = Vec::new();
    for (row, workers) in ROWS.into_iter().filter(|(row, _)| bench.wanted.has(row.name)) {
        let measured =
            in_turn(row, async || rate(&inventory, workers).await, async || rate(&inventory, 1).await).await?;
        figures.push(measured);
    }
    Ok(figures)
}

fn surroundings(metadata: &PostgreSql, results: &S3Server) -> Vec<(&'static str, String)> {
    let (key, secret) = S3Server::OWNER;
    vec![
        ("CLEW_METADATA", metadata.url()),
        ("CLEW_RESULTS", format!("s3://{}/clew", S3Server::BUCKET)),
        ("AWS_ENDPOINT_URL", results.endpoint()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", key.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
    ]
}

/// Collections that so many workers end in a second, while all of them are at work on a queue that was there before.
async fn rate(inventory: &Inventory, workers: usize) -> Result<f64, XtaskError> {
    let served = inventory.serve_with(&["--no-worker"], None).await?;
    let places: Vec<NodePlace> = inventory.nodes.iter().cycle().take(SHARE * workers).cloned().collect();
    let ids = served.start_all(&places).await?;
    must_be("collections that were queued", ids.len() as u64, places.len() as u64)?;
    let mut working: Vec<(String, Serving)> = Vec::new();
    for number in 1..=workers {
        let name = format!("worker-{number}");
        let worker = inventory.home().work(&name, CONFIGURATION).await?;
        working.push((name, worker));
    }
    for (place, id) in places.iter().zip(&ids) {
        served.wait(place, id).await?;
    }
    let mut ends = BTreeMap::new();
    for (name, worker) in working {
        worker.stop().await?;
        let log = inventory.home().log_of(&name);
        ends.insert(name, collected(&log).into_iter().map(|(_, at)| at).collect::<Vec<_>>());
    }
    served.stop().await?;
    Ok(together(&ends).unwrap_or_default())
}

/// The rate from when the last worker has begun to end collections until the first has no more of them.
fn together(ends: &BTreeMap<String, Vec<Timestamp>>) -> Option<f64> {
    let begin = ends.values().filter_map(|ends| ends.iter().min()).max()?;
    let end = ends.values().filter_map(|ends| ends.iter().max()).min()?;
    let count = ends.values().flatten().filter(|at| (begin..end).contains(at)).count();
    let seconds = end.duration_since(*begin).as_secs_f64();
    Some(f64::from(u32::try_from(count).ok()?) / seconds).filter(|rate| rate.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_all_workers_were_there_for() {
        let at =
            |seconds: &[i64]| seconds.iter().map(|second| Timestamp::from_second(*second).unwrap()).collect::<Vec<_>>();
        let ends = BTreeMap::from([("a".to_owned(), at(&[0, 1, 2, 3, 4])), ("b".to_owned(), at(&[2, 2, 3, 6]))]);
        // From 2 to 4: two of the first, three of the second.
        assert_eq!(together(&ends), Some(2.5));
        assert_eq!(together(&BTreeMap::new()), None);
        assert_eq!(together(&BTreeMap::from([("a".to_owned(), at(&[1]))])), None);
    }
}
