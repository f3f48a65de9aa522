//! How each fault is brought about, once, and undone.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::Traffic;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::diary::{Diary, now};
use crate::error::{FaultsError, io};
use crate::fault::Fault;
use crate::place::{Place, WITH_OWN_CLOCK, WITH_OWN_DISK};
use crate::process::Clew;

/// A fault lasts so long at most, unless it must be longer.
const LONGEST: Duration = Duration::from_secs(15);
/// A worker keeps a collection so long without a word (`docs/decisions/0002`).
const LEASE: Duration = Duration::from_secs(10);
/// For a worker to say something that shows that its clock is wrong, or its disk full.
const HEARD: Duration = Duration::from_mins(1);
/// What the system says of a full disk.
const FULL: &str = "No space left on device";

/// Brings faults about, at random.
pub(crate) struct Breaker<'a> {
    pub(crate) place: &'a mut Place,
    pub(crate) rng: Rng,
    pub(crate) diary: Diary,
}

impl Breaker<'_> {
    /// Brings the fault about once, leaves it for a while and takes it back. It lasts for about `most` at most.
    pub(crate) async fn once(&mut self, fault: Fault, most: Duration) -> Result<(), FaultsError> {
        let longest = u64::try_from(most.min(LONGEST).as_millis()).unwrap_or(u64::MAX).max(2_000);
        let lasting = Duration::from_millis(self.rng.u64(1_000..longest));
        match fault {
            Fault::Kill => self.kill(lasting.min(Duration::from_secs(6))).await,
            Fault::MetadataRestart => self.restart_metadata(lasting.min(Duration::from_secs(8))).await,
            Fault::MetadataPause => self.pause_metadata(lasting).await,
            Fault::ResultsStop => self.stop_results(lasting).await,
            Fault::ResultsSlow => self.slow_results(lasting).await,
            Fault::Cut => self.cut().await,
            Fault::Clock => self.set_clock(lasting.max(Duration::from_secs(5))).await,
            Fault::DiskFull => self.fill_disk(lasting.max(Duration::from_secs(4))).await,
        }
    }

    /// One or two of the workers, and perhaps a server, in the same moment.
    async fn kill(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        let (workers, servers) = (self.place.workers.len(), self.place.servers.len());
        let mut victims = vec![self.rng.usize(..workers)];
        if self.rng.bool() {
            victims.push(self.rng.usize(..workers));
        }
        victims.dedup();
        let server = self.rng.bool().then(|| self.rng.usize(..servers));
        let Place { workers, servers, .. } = &mut *self.place;
        let chosen = workers.iter_mut().enumerate().filter(|(at, _)| victims.contains(at)).map(|(_, worker)| worker);
        let also = servers.iter_mut().enumerate().filter(|(at, _)| Some(*at) == server).map(|(_, server)| server);
        let mut killed: Vec<&mut Clew> = chosen.chain(also).collect();
        let names: Vec<&str> = killed.iter().map(|process| process.name.as_str()).collect();
        self.diary.begin(Fault::Kill, &format!("{} for {:.1} s", names.join(", "), lasting.as_secs_f64()));
        for process in &mut killed {
            process.kill().await?;
        }
        sleep(lasting).await;
        for process in &mut killed {
            process.start().await?;
        }
        self.diary.end(Fault::Kill);
        Ok(())
    }

    async fn restart_metadata(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        let in_order = self.rng.bool();
        let how = if in_order { "in order" } else { "as by a crash" };
        self.diary.begin(Fault::MetadataRestart, &format!("it ends {how}, for {:.1} s", lasting.as_secs_f64()));
        let metadata = &mut self.place.metadata;
        let ended = if in_order { metadata.stop() } else { metadata.crash() };
        ended.map_err(io("end PostgreSQL"))?;
        sleep(lasting).await;
        metadata.start_again().await?;
        self.diary.end(Fault::MetadataRestart);
        Ok(())
    }

    async fn pause_metadata(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        self.diary.begin(Fault::MetadataPause, &format!("for {:.1} s", lasting.as_secs_f64()));
        self.place.metadata.pause().map_err(io("stop PostgreSQL in its tracks"))?;
        sleep(lasting).await;
        self.place.metadata.resume().map_err(io("let PostgreSQL go on"))?;
        self.diary.end(Fault::MetadataPause);
        Ok(())
    }

    async fn stop_results(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        let in_order = self.rng.bool();
        let how = if in_order { "in order" } else { "by SIGKILL" };
        self.diary.begin(Fault::ResultsStop, &format!("it ends {how}, for {:.1} s", lasting.as_secs_f64()));
        let results = &mut self.place.results;
        let ended = if in_order { results.stop() } else { results.kill() };
        ended.map_err(io("end the S3 server"))?;
        sleep(lasting).await;
        results.start_again().await?;
        self.diary.end(Fault::ResultsStop);
        Ok(())
    }

    async fn slow_results(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        let (traffic, how) = if self.rng.bool() {
            let pause = Duration::from_millis(self.rng.u64(100..800));
            (Traffic::Crawls(pause), format!("each 16 KiB takes {} ms", pause.as_millis()))
        } else {
            (Traffic::Stands, "nothing passes".to_owned())
        };
        self.diary.begin(Fault::ResultsSlow, &format!("{how}, for {:.1} s", lasting.as_secs_f64()));
        self.place.to_results.set(traffic);
        sleep(lasting).await;
        self.place.to_results.set(Traffic::Flows);
        self.diary.end(Fault::ResultsSlow);
        Ok(())
    }

    /// For a little or much longer than a lease: it is taken up by another worker, which is at work on it or done when this one is back.
    async fn cut(&mut self) -> Result<(), FaultsError> {
        let lasting = LEASE + Duration::from_millis(self.rng.u64(1_000..8_000));
        let worker = self.rng.usize(..self.place.ways.len());
        let Some(way) = self.place.ways.get(worker) else { return Ok(()) };
        let what = format!("worker-{} from PostgreSQL, for {:.1} s", worker + 1, lasting.as_secs_f64());
        self.diary.begin(Fault::Cut, &what);
        way.set(Traffic::Stands);
        sleep(lasting).await;
        way.set(Traffic::Flows);
        self.diary.end(Fault::Cut);
        Ok(())
    }

    async fn set_clock(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        let Some(worker) = self.place.workers.get(WITH_OWN_CLOCK) else { return Ok(()) };
        let (by, seconds) = if self.rng.bool() { ("+1h", 3600) } else { ("-1h", -3600) };
        self.diary.begin(Fault::Clock, &format!("{} by {by}, for {:.1} s", worker.name, lasting.as_secs_f64()));
        let said = worker.said();
        let set = |to: &str| fs::write(self.place.clock(), format!("{to}\n")).map_err(io("set a clock"));
        set(by)?;
        must_speak_of(worker, said, seconds, "a date that is wrong by an hour").await?;
        sleep(lasting).await;
        let said = worker.said();
        set("+0")?;
        // A worker whose results S3 refused looks again every other second, and says nothing new before. The next fault, too, is to be heard.
        must_speak_of(worker, said, 0, "a date that is right again").await?;
        self.diary.end(Fault::Clock);
        Ok(())
    }

    async fn fill_disk(&mut self, lasting: Duration) -> Result<(), FaultsError> {
        let Some(worker) = self.place.workers.get(WITH_OWN_DISK) else { return Ok(()) };
        let Some(pid) = worker.pid() else { return Err(worker.failed("it does not run")) };
        // The disk is mounted for that process alone.
        let mut filler = PathBuf::from(format!("/proc/{pid}/root"));
        filler.push(self.place.disk().strip_prefix("/").unwrap_or(&self.place.disk()));
        filler.push("filler");
        self.diary.begin(Fault::DiskFull, &format!("{}'s, for {:.1} s", worker.name, lasting.as_secs_f64()));
        let (begun, said) = (Instant::now(), worker.said());
        // What a collection gives back while it is full is taken too. It lasts until a collection has met it.
        while begun.elapsed() < lasting || !worker.said_since(said).contains(FULL) {
            must_be_heard(begun, Fault::DiskFull, worker, FULL)?;
            fill(&filler)?;
            sleep(Duration::from_millis(100)).await;
        }
        fs::remove_file(&filler).map_err(io("empty a disk"))?;
        self.diary.end(Fault::DiskFull);
        Ok(())
    }
}

/// A fault that nobody meets tries nothing.
fn must_be_heard(begun: Instant, fault: Fault, worker: &Clew, what: &str) -> Result<(), FaultsError> {
    if begun.elapsed() < HEARD {
        return Ok(());
    }
    let reason = format!("{} has not said {what:?} for {} s", worker.name, HEARD.as_secs());
    Err(FaultsError::WithoutEffect { fault: fault.name(), reason })
}

/// Writes until nothing more fits.
fn fill(filler: &Path) -> Result<(), FaultsError> {
    let mut file = File::options().create(true).append(true).open(filler).map_err(io("fill a disk"))?;
    let piece = vec![0; 64 << 10];
    loop {
        match file.write(&piece) {
            Ok(_) => {}
            Err(full) if full.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(io("fill a disk")(error)),
        }
    }
}

/// Waits until the worker says something since then whose date is wrong by about so many seconds.
async fn must_speak_of(worker: &Clew, said: u64, seconds: i64, what: &str) -> Result<(), FaultsError> {
    let begun = Instant::now();
    while !speaks_of_a_date(worker, said, seconds) {
        must_be_heard(begun, Fault::Clock, worker, what)?;
        sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

/// Whether a line since then has a date that is wrong by about so many seconds.
fn speaks_of_a_date(worker: &Clew, said: u64, seconds: i64) -> bool {
    let lines = worker.said_since(said);
    let dates = lines.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("timestamp")?.as_str()?.parse::<Timestamp>().ok()
    });
    dates.map(|date| date.as_millisecond() / 1000 - now() / 1000).any(|wrong| (wrong - seconds).abs() < 600)
}
