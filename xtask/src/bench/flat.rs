//! Rows of size: memory that stays flat, time that grows as the rows do. A fake server makes the rows.

use std::collections::HashMap;

use clew_testkit::{FakeOptions, FakeServer, Fault};

use super::Bench;
use super::counts::{matches, must_be, occurrences};
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::Inventory;
use crate::command::Command;
use crate::error::XtaskError;
use crate::{processes, steps};

const fn memory(name: &'static str, measure: &'static str) -> Row {
    Row {
        name,
        measure,
        against: "1,000 rows",
        compared: Compared::More,
        reach: Reach::AtMost(8.0),
        unit: "MiB",
        pairs: 9,
    }
}

const SNAPSHOT_MEMORY: Row = memory("memory-snapshot", "peak memory of `clew snapshot`, 100,000 rows of 1 KiB");
const SERVE_MEMORY: Row = memory("memory-serve", "peak memory of `clew serve`, one result of 100,000 rows of 1 KiB");

const fn growth(name: &'static str, measure: &'static str, against: &'static str) -> Row {
    Row { name, measure, against, compared: Compared::Share, reach: Reach::AtMost(1.2), unit: "µs", pairs: 15 }
}

/// Larger and smaller size of each row.
const GROWTH: [(Row, Size, Size); 3] = [
    (
        growth("growth-10k", "`clew snapshot`, time per row at 10,000 rows", "at 1,000"),
        Size::Whole(10_000),
        Size::Whole(1000),
    ),
    (growth("growth-100k", "time per row at 100,000 rows", "at 10,000"), Size::Whole(100_000), Size::Whole(10_000)),
    (
        growth("growth-further", "each further row from 10,000 to 100,000", "from 1,000 to 10,000"),
        Size::Further(10_000, 100_000),
        Size::Further(1000, 10_000),
    ),
];

/// What a time per row is taken of.
#[derive(Debug, Clone, Copy)]
enum Size {
    /// So many rows, with the start of the program.
    Whole(u64),
    /// What the rows take that the second has more than the first: without the start.
    Further(u64, u64),
}

/// Bytes of a statement: with the rest of its row 1 KiB.
const STATEMENT: usize = 960;
const FEW: u64 = 1000;
const MANY: u64 = 100_000;

/// All rows of this family.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    [SNAPSHOT_MEMORY, SERVE_MEMORY].into_iter().chain(GROWTH.iter().map(|(row, _, _)| *row))
}

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    if !rows().any(|row| bench.wanted.has(row.name)) {
        return Ok(Vec::new());
    }
    steps::heading("Memory and growth");
    let (few, many) = (fake(FEW, STATEMENT).await?, fake(MANY, STATEMENT).await?);
    let mut figures = Vec::new();
    if bench.wanted.has(SNAPSHOT_MEMORY.name) {
        let clew = async || snapshot_peak(bench, &many, MANY).await;
        figures.push(in_turn(SNAPSHOT_MEMORY, clew, async || snapshot_peak(bench, &few, FEW).await).await?);
    }
    if bench.wanted.has(SERVE_MEMORY.name) {
        let inventory = Inventory::of(&bench.clew, &[many.url(), few.url()], 1).await?;
        let clew = async || serve_peak(bench, &inventory, 0, MANY).await;
        figures.push(in_turn(SERVE_MEMORY, clew, async || serve_peak(bench, &inventory, 1, FEW).await).await?);
    }
    let mut fakes = HashMap::new();
    for (row, larger, smaller) in GROWTH.iter().filter(|(row, _, _)| bench.wanted.has(row.name)) {
        for rows in [*larger, *smaller].iter().flat_map(|size| size.of()) {
            if let std::collections::hash_map::Entry::Vacant(missing) = fakes.entry(rows) {
                missing.insert(fake(rows, 0).await?);
            }
        }
        let clew = async || per_row(bench, &fakes, *larger).await;
        figures.push(in_turn(*row, clew, async || per_row(bench, &fakes, *smaller).await).await?);
    }
    Ok(figures)
}

async fn fake(sessions: u64, statement: usize) -> Result<FakeServer, XtaskError> {
    // As in the load of the real servers: a quarter of the sessions have a transaction.
    let options = FakeOptions { sessions, transactions: sessions / 4, fault: Fault::None };
    FakeServer::start_with_statements_of(statement, options).await.map_err(|cause| XtaskError::Load { cause })
}

fn snapshot(bench: &Bench, fake: &FakeServer) -> Command {
    let url = fake.url();
    Command::new(&bench.clew).args(["snapshot", "--format", "csv", url.as_str(), "--timeout", "300"])
}

/// MiB. Its output goes through a pipe, so that it can be looked at until it has written the last byte.
async fn snapshot_peak(bench: &Bench, fake: &FakeServer, sessions: u64) -> Result<f64, XtaskError> {
    let (answer, peak) = snapshot(bench, fake).answer_and_peak().await?;
    must_be("rows of a snapshot", matches(&answer, ROW), sessions)?;
    Ok(processes::mib(peak))
}

/// MiB. Each run is of a new process, which collects and downloads once.
async fn serve_peak(bench: &Bench, inventory: &Inventory, node: usize, sessions: u64) -> Result<f64, XtaskError> {
    let Some(place) = inventory.nodes.get(node) else { return Ok(0.0) };
    let served = inventory.serve(None).await?;
    let file = bench.file("result.csv");
    served.time_to_file(place, &file).await?;
    must_be("rows of a result", occurrences(&file, ROW)?, sessions)?;
    let peak = served.peak_mib();
    served.stop().await?;
    Ok(peak)
}

/// Stands once in each row.
const ROW: &str = "FOR UPDATE";

/// Microseconds.
async fn per_row(bench: &Bench, fakes: &HashMap<u64, FakeServer>, size: Size) -> Result<f64, XtaskError> {
    let mut times = Vec::new();
    for rows in size.of() {
        let Some(fake) = fakes.get(&rows) else { continue };
        let file = bench.file("growth.csv");
        let took = snapshot(bench, fake).time_to_file(&file).await?;
        must_be("rows of a snapshot", occurrences(&file, ROW)?, rows)?;
        times.push(took.as_secs_f64() * 1e6);
    }
    let rows = |rows: u64| u32::try_from(rows).map_or(f64::INFINITY, f64::from);
    Ok(match (size, times.as_slice()) {
        (Size::Whole(of), [time]) => time / rows(of),
        (Size::Further(from, to), [less, more]) => (more - less) / rows(to - from),
        _ => 0.0,
    })
}

impl Size {
    fn of(self) -> Vec<u64> {
        match self {
            Self::Whole(rows) => vec![rows],
            Self::Further(from, to) => vec![from, to],
        }
    }
}
