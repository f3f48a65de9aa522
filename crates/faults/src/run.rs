//! A run, from the first server to the last check.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::breaking::Breaker;
use crate::checks::{self, Evidence};
use crate::diary::Diary;
use crate::error::FaultsError;
use crate::fault::Fault;
use crate::load::{self, Asking, Load, Received, STUCK, seen};
use crate::nodes::Accepted;
use crate::place::{PREFIX, Place};
use crate::reasons;
use crate::report::{Line, Report};
use crate::witness::{self, Row};

/// Before the first fault.
const WARM: Duration = Duration::from_secs(5);
/// Downloads at once, at the end.
const AT_ONCE: usize = 16;
/// Where S3 keeps the parts of uploads that are not completed.
const UPLOADS: &str = ".uploads";

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program.
    pub clew: PathBuf,
    /// Where its processes write what they say; the folder must be there.
    pub logs: PathBuf,
    /// Decides moments, victims and what is asked for.
    pub seed: u64,
    /// The faults, in their order.
    pub faults: Vec<Fault>,
    /// How long each is brought about again and again; once at least.
    pub for_each: Duration,
    /// Collections that are asked for in a second.
    pub per_second: f64,
    /// Hears what happens.
    pub tell: fn(&str),
}

/// Brings the faults about under load, and checks every promise. Call it on a thread that lives as long as the run.
pub async fn run(options: Options) -> Result<Report, FaultsError> {
    let Options { clew, logs, seed, faults, for_each, per_second, tell } = options;
    let diary = Diary::telling(tell);
    let mut rng = Rng::with_seed(seed);
    diary.say(&format!("seed {seed}; logs in {}", logs.display()));
    let mut place = Place::start(&clew, &logs).await?;
    witness::watch(&place.metadata.url()).await?;
    diary.say("everything is up; the load begins");
    let asking = Asking::new(place.clients(&load::settings())?, std::mem::take(&mut place.inventory));
    let load = Load::start(asking.clone(), per_second, rng.fork());

    // Until every worker is at work.
    sleep(WARM).await;
    let mut breaker = Breaker { place: &mut place, rng: rng.fork(), diary: diary.clone() };
    for (phase, fault) in faults.iter().enumerate() {
        load.enter(phase);
        let until = Instant::now() + for_each;
        while {
            let pause = Duration::from_millis(breaker.rng.u64(1_000..4_000));
            sleep(pause).await;
            breaker.once(*fault, for_each).await?;
            Instant::now() < until
        } {}
    }
    diary.say("the load ends; waiting for all that was accepted");
    let asked = load.stop().await;
    let rows = settled(&place).await?;

    diary.say("downloading everything once more");
    let accepted: Vec<Accepted> = seen(&asked)
        .filter(|(_, seen)| {
            rows.iter().any(|row| row.request_id == seen.accepted.id.as_str() && row.status == "finished")
        })
        .map(|(_, seen)| seen.accepted.clone())
        .collect();
    let downloads = download_all(&asking, accepted, &mut rng).await;

    let mut broken = stop_all(&mut place).await;
    let logged = logged(&place);
    diary.say("cleaning up");
    let before = orphans(&place, &rows).await?;
    let store = place.store().await?;
    let known = store.known_result_names().await?;
    store.results().sweep(known, Duration::ZERO).await?;
    let after = orphans(&place, &rows).await?;
    broken.extend(after.iter().map(|orphan| format!("{orphan} is left on S3, and no collection names it")));
    let events = diary.events();
    let evidence =
        Evidence { asked: &asked, rows: &rows, downloads: &downloads, events: &events, ends_logged: &logged.ends };
    broken.extend(checks::broken(&evidence));
    broken.extend(logged.panics);
    let mut reasons = BTreeMap::new();
    for row in rows.iter().filter(|row| row.status == "error") {
        *reasons.entry(reasons::title(row)).or_default() += 1;
    }
    Ok(Report {
        seed,
        reasons,
        lines: Line::of(&faults, &asked, &rows, &events),
        untold: rows.len().saturating_sub(seen(&asked).count()),
        downloaded: downloads.values().filter(|download| download.is_ok()).count(),
        orphans: (before.len(), after.len()),
        swept: logged.swept,
        broken,
    })
}

/// The rows, once all have ended, or none ends any more.
async fn settled(place: &Place) -> Result<Vec<Row>, FaultsError> {
    let (mut open, mut last_end) = (usize::MAX, Instant::now());
    loop {
        let rows = witness::rows(&place.metadata.url()).await?;
        let still_open = rows.iter().filter(|row| row.ended_at.is_none()).count();
        if still_open < open {
            (open, last_end) = (still_open, Instant::now());
        }
        if open == 0 || last_end.elapsed() > STUCK {
            return Ok(rows);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn download_all(
    asking: &Arc<Asking>,
    accepted: Vec<Accepted>,
    rng: &mut Rng,
) -> HashMap<String, Result<Received, String>> {
    let mut downloads = HashMap::new();
    let mut under_way = JoinSet::new();
    for one in accepted {
        if under_way.len() >= AT_ONCE
            && let Some(Ok((id, download))) = under_way.join_next().await
        {
            downloads.insert(id, download);
        }
        let (asking, mut rng) = (asking.clone(), rng.fork());
        under_way.spawn(async move {
            let download = asking.download_again(&one, &mut rng).await;
            (one.id.as_str().to_owned(), download)
        });
    }
    downloads.extend(under_way.join_all().await);
    downloads
}

/// Each process in order, as an operator does it.
async fn stop_all(place: &mut Place) -> Vec<String> {
    let mut broken = Vec::new();
    for process in place.workers.iter_mut().chain(&mut place.servers) {
        if !process.stop().await {
            broken.push(format!("{} did not end in order", process.name));
        }
    }
    broken
}

/// Objects, and uploads that are not completed, that no row names.
async fn orphans(place: &Place, rows: &[Row]) -> Result<Vec<String>, FaultsError> {
    let objects = place.results.objects(PREFIX).await?;
    let mut orphans: Vec<String> = checks::orphans(&objects, rows).into_iter().map(str::to_owned).collect();
    orphans.extend(place.results.objects(UPLOADS).await?.into_iter().map(|upload| format!("the upload {upload}")));
    Ok(orphans)
}

/// What the workers said.
#[derive(Default)]
struct Logged {
    /// How often each collection was ended, by the workers' own words.
    ends: HashMap<String, usize>,
    swept: u64,
    panics: Vec<String>,
}

fn logged(place: &Place) -> Logged {
    let mut logged = Logged::default();
    for process in place.workers.iter().chain(&place.servers) {
        for line in process.said_since(0).lines() {
            if line.contains("panicked at") {
                logged.panics.push(format!("{}: {line}", process.name));
            }
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
            if matches!(text("message"), "collected" | "could not collect") {
                *logged.ends.entry(text("task.request_id").to_owned()).or_default() += 1;
            }
            logged.swept += line.get("results.swept").and_then(Value::as_u64).unwrap_or_default();
        }
    }
    logged
}
