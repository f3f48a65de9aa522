//! Rows of a fleet: a thousand nodes, one collection each, by one process.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use clew_testkit::{FakeFleet, FakeOptions, Fault};
use tokio::time::sleep;

use super::Bench;
use super::counts::{must_be, occurrences};
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::{Inventory, NodePlace};
use crate::error::XtaskError;
use crate::steps::{self, Step};

const TIME: Row = Row {
    name: "nodes",
    measure: "1,000 nodes of 20 sessions, one collection each, all finished",
    against: "1 node",
    compared: Compared::Alone,
    reach: Reach::AtMost(10.0),
    unit: "s",
    pairs: 9,
};

const MEMORY: Row = Row {
    name: "nodes-memory",
    measure: "peak memory of `clew serve` with them",
    against: "1 node",
    reach: Reach::AtMost(128.0),
    unit: "MiB",
    ..TIME
};

/// All rows of this family.
pub(super) const ROWS: [Row; 2] = [TIME, MEMORY];

const NODES: usize = 1000;
/// Nodes of an instance: a master and its replicas, many of them.
const NODES_PER_INSTANCE: usize = 20;
const SESSIONS: u64 = 20;
/// Between two questions whether a collection has ended.
const POLL: Duration = Duration::from_millis(20);
/// For the servers to notice that connections were closed.
const CLOSED: Duration = Duration::from_secs(5);

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    if !bench.wanted.has_any(&ROWS) {
        return Ok(Vec::new());
    }
    steps::heading("A thousand nodes");
    let step = Step::start("Registering them");
    let options = FakeOptions { sessions: SESSIONS, transactions: SESSIONS / 4, fault: Fault::None };
    let fleet = FakeFleet::start(NODES, options).await.map_err(|cause| XtaskError::Load { cause })?;
    let urls: Vec<String> = fleet.nodes().iter().map(clew_testkit::FakeServer::url).collect();
    let inventory = Inventory::of(&bench.clew, &urls, NODES_PER_INSTANCE).await?;
    step.done();

    let peaks = RefCell::new(Figures::new(MEMORY));
    let warm = Cell::new(0);
    let run = async |places: &[NodePlace]| {
        let (took, peak) = collect_all(bench, &inventory, &fleet, places).await?;
        warm.set(warm.get() + 1);
        // The first run of each side is not counted, as in the row of the time.
        if warm.get() > 2 {
            let mut peaks = peaks.borrow_mut();
            if places.len() == 1 { peaks.peer.push(peak) } else { peaks.clew.push(peak) }
        }
        Ok(took.as_secs_f64())
    };
    let one = inventory.nodes.get(..1).unwrap_or_default();
    let times = in_turn(TIME, async || run(&inventory.nodes).await, async || run(one).await).await?;
    let most = format!("at most {} connections open at once, none left behind", fleet.most_connections());
    Ok(vec![times.noting(most), peaks.into_inner()])
}

/// Collects once from each node by a new process: from the first POST until all have finished, and the most memory, in MiB.
async fn collect_all(
    bench: &Bench,
    inventory: &Inventory,
    fleet: &FakeFleet,
    places: &[NodePlace],
) -> Result<(Duration, f64), XtaskError> {
    let served = inventory.serve(Some(POLL)).await?;
    let taken = fleet.connections_taken();
    let start = Instant::now();
    let ids = served.collect_all(places).await?;
    let took = start.elapsed();
    let peak = served.peak_mib();
    must_be("connections to 1,000 nodes", fleet.connections_taken() - taken, places.len() as u64)?;
    let file = bench.file("result.csv");
    for (place, id) in places.iter().zip(&ids).step_by(97) {
        served.download(place, id, &file).await?;
        must_be("sessions of a node", occurrences(&file, "FOR UPDATE")?, SESSIONS)?;
    }
    none_left(fleet).await?;
    served.stop().await?;
    Ok((took, peak))
}

/// Fails where connections stay open.
async fn none_left(fleet: &FakeFleet) -> Result<(), XtaskError> {
    let start = Instant::now();
    while fleet.connections() > 0 && start.elapsed() < CLOSED {
        sleep(Duration::from_millis(5)).await;
    }
    must_be("connections left open", fleet.connections(), 0)
}
