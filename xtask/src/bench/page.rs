//! Rows of the web page: ten thousand sessions in Debian's Chromium, hundreds of which change from one look to the next.

use std::time::Duration;

use clew_testkit::{Flavor, Load, LoadSize, RawSession, Server, ServerOptions, TEN_THOUSAND, idle_sessions};
use serde_json::json;
use tokio::task::JoinSet;

use super::Bench;
use super::pairs::{Figures, in_turn};
use super::rows::{Compared, Reach, Row};
use super::served::{Inventory, NodePlace, Served};
use crate::command::Command;
use crate::error::XtaskError;
use crate::steps::{self, Step};
use crate::{page, workspace};

const fn row(name: &'static str, measure: &'static str, unit: &'static str, most: f64) -> Row {
    Row {
        name,
        measure,
        against: "the same of a server with 20 sessions",
        compared: Compared::Alone,
        reach: Reach::AtMost(most),
        unit,
        pairs: 9,
    }
}

const FIRST: Row =
    row("page-first", "the page of 10,000 sessions, from the navigation to sessions that can be used", "ms", 1000.0);
const SCRIPT: Row = row("page-script", "its scripts, one look a second, of one core", "%", 25.0);
const SCROLL: Row = row("page-scroll", "its longest frame in 3 s of scrolling", "ms", 50.0);
const HEAP: Row = Row { pairs: 1, ..row("page-heap", "what its heap has grown by after 10 minutes", "MiB", 2.0) };

/// All rows of this family.
pub(super) const ROWS: [Row; 4] = [FIRST, SCRIPT, SCROLL, HEAP];

/// Sessions that are never idle for long, besides those of the load.
const BUSY: usize = 200;
/// What each of them does, over and over; each also has the time to be seen doing it.
const WORK: [&str; 3] = ["DO SLEEP(0.8)", "DO (SELECT COUNT(*) FROM clew_load.orders) + SLEEP(0.4)", "DO 1"];
const FEW: usize = 20;
const SCRIPT_SECONDS: u32 = 5;
const SCROLL_SECONDS: u32 = 3;
const HEAP_SECONDS: u32 = 600;

pub(super) async fn measure(bench: &Bench) -> Result<Vec<Figures>, XtaskError> {
    if !bench.wanted.has_any(&ROWS) {
        return Ok(Vec::new());
    }
    steps::heading("The page of ten thousand sessions");
    page::build().await?;
    let failed = |cause| XtaskError::Load { cause };
    let step = Step::start("Starting the servers and their sessions");
    let max_connections = u32::try_from(TEN_THOUSAND.sessions + BUSY + 100).unwrap_or(u32::MAX);
    let large = bench.start(Flavor::MySql, &ServerOptions { max_connections, ..ServerOptions::default() }).await?;
    let load = LoadSize { sessions: TEN_THOUSAND.sessions - BUSY, ..TEN_THOUSAND };
    let _load = Load::start(&large, load).await.map_err(failed)?;
    let _busy = busy(&large).await?;
    let small = bench.start(Flavor::MySql, &ServerOptions::default()).await?;
    let _few = idle_sessions(&small, FEW).await.map_err(failed)?;
    let inventory = Inventory::of(&bench.clew, &[large.url(), small.url()], 2).await?;
    let served = inventory.serve(None).await?;
    step.done();

    let [large, small] = inventory.nodes.as_slice() else { return Ok(Vec::new()) };
    let (large, small) = (Look::at(&inventory, &served, large), Look::at(&inventory, &served, small));
    let mut figures = Vec::new();
    for (row, what, seconds) in
        [(FIRST, "first", 0), (SCRIPT, "script", SCRIPT_SECONDS), (SCROLL, "scroll", SCROLL_SECONDS)]
    {
        if bench.wanted.has(row.name) {
            let pairs =
                in_turn(row, async || large.figure(what, seconds).await, async || small.figure(what, seconds).await);
            figures.push(pairs.await?);
        }
    }
    if bench.wanted.has(HEAP.name) {
        let step = Step::start(HEAP.name);
        let (of_many, of_few) =
            tokio::try_join!(large.figure("heap", HEAP_SECONDS), small.figure("heap", HEAP_SECONDS))?;
        let heap = Figures { clew: vec![of_many], peer: vec![of_few], ..Figures::new(HEAP) };
        step.done_with(&heap.shown());
        figures.push(heap.noting("both at the same time, after a minute, without what is garbage".to_owned()));
    }
    served.stop().await?;
    Ok(figures)
}

/// Sessions that work, until this is dropped.
async fn busy(server: &Server) -> Result<JoinSet<std::io::Result<()>>, XtaskError> {
    let sessions = idle_sessions(server, BUSY).await.map_err(|cause| XtaskError::Load { cause })?.sessions;
    let mut busy = JoinSet::new();
    for (at, session) in sessions.into_iter().enumerate() {
        busy.spawn(work(session, at));
    }
    Ok(busy)
}

async fn work(mut session: RawSession, from: usize) -> std::io::Result<()> {
    for statement in WORK.iter().cycle().skip(from % WORK.len()) {
        session.run(statement).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// A browser that looks at the sessions of a node.
struct Look(Command);

impl Look {
    fn at(inventory: &Inventory, served: &Served<'_>, place: &NodePlace) -> Self {
        let credentials = &inventory.home().credentials;
        let stage = json!({
            "endpoint": format!("http://{}", served.address()),
            "domain": credentials.domain_name,
            "user": credentials.user,
            "password": credentials.password,
            "project": credentials.project_id,
            "instance": place.instance,
            "node": place.node,
        });
        let node = Command::new("node").in_folder(workspace::root().join("web"));
        Self(node.env("CLEW_STAGE", stage.to_string()))
    }

    /// What `web/browser/measure.mjs` measures.
    async fn figure(&self, what: &str, seconds: u32) -> Result<f64, XtaskError> {
        let command = self.0.clone().args(["browser/measure.mjs", what, &seconds.to_string()]);
        let answer = command.answer().await?;
        answer.trim().parse().map_err(|cause: std::num::ParseFloatError| XtaskError::Answer {
            command: command.shown(),
            cause: cause.to_string(),
            answer,
        })
    }
}
