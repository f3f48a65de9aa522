//! Injection and removal of each fault.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_testkit::Traffic;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::cluster::{CLOCK_WORKER, Cluster, DISK_WORKER};
use crate::error::{FaultsError, io};
use crate::fault::Fault;
use crate::process::ClewProcess;
use crate::timeline::{Timeline, now_millis};

/// Maximum duration of a fault without a longer minimum.
const MAX_FAULT_DURATION: Duration = Duration::from_secs(15);
/// Lease of a collection (`docs/decisions/0002-queue-with-leases-and-fencing-tokens.md`).
const LEASE: Duration = Duration::from_secs(10);
/// Time limit until a worker's log shows a shifted clock or a full disk.
const EFFECT_TIMEOUT: Duration = Duration::from_mins(1);
/// Message of the operating system for a full disk.
const DISK_FULL_MESSAGE: &str = "No space left on device";

/// Injects faults at random into a cluster.
pub(crate) struct Injector<'a> {
    pub(crate) cluster: &'a mut Cluster,
    pub(crate) rng: Rng,
    pub(crate) timeline: Timeline,
}

impl Injector<'_> {
    /// Injects a fault once and removes it after a random time of at most about `max_duration`.
    pub(crate) async fn inject(&mut self, fault: Fault, max_duration: Duration) -> Result<(), FaultsError> {
        let max_millis = u64::try_from(max_duration.min(MAX_FAULT_DURATION).as_millis()).unwrap_or(u64::MAX).max(2_000);
        let duration = Duration::from_millis(self.rng.u64(1_000..max_millis));
        match fault {
            Fault::Kill => self.kill(duration.min(Duration::from_secs(6))).await,
            Fault::PostgresRestart => self.restart_postgres(duration.min(Duration::from_secs(8))).await,
            Fault::PostgresPause => self.pause_postgres(duration).await,
            Fault::S3Stop => self.stop_s3(duration).await,
            Fault::S3Slow => self.slow_down_s3(duration).await,
            Fault::NetworkPartition => self.partition_network().await,
            Fault::ClockShift => self.shift_clock(duration.max(Duration::from_secs(5))).await,
            Fault::DiskFull => self.fill_disk(duration.max(Duration::from_secs(4))).await,
        }
    }

    /// Kills one or two workers, and at random also a server, at the same time.
    async fn kill(&mut self, duration: Duration) -> Result<(), FaultsError> {
        let (workers, servers) = (self.cluster.workers.len(), self.cluster.servers.len());
        let mut victims = vec![self.rng.usize(..workers)];
        if self.rng.bool() {
            victims.push(self.rng.usize(..workers));
        }
        victims.dedup();
        let server = self.rng.bool().then(|| self.rng.usize(..servers));
        let Cluster { workers, servers, .. } = &mut *self.cluster;
        let killed_workers =
            workers.iter_mut().enumerate().filter(|(at, _)| victims.contains(at)).map(|(_, worker)| worker);
        let killed_servers =
            servers.iter_mut().enumerate().filter(|(at, _)| Some(*at) == server).map(|(_, server)| server);
        let mut killed: Vec<&mut ClewProcess> = killed_workers.chain(killed_servers).collect();
        let names: Vec<&str> = killed.iter().map(|process| process.name.as_str()).collect();
        self.timeline.begin(Fault::Kill, &format!("{} for {:.1} s", names.join(", "), duration.as_secs_f64()));
        for process in &mut killed {
            process.kill().await?;
        }
        sleep(duration).await;
        for process in &mut killed {
            process.start().await?;
        }
        self.timeline.end(Fault::Kill);
        Ok(())
    }

    async fn restart_postgres(&mut self, duration: Duration) -> Result<(), FaultsError> {
        let graceful = self.rng.bool();
        let how = if graceful { "graceful stop" } else { "crash" };
        self.timeline.begin(Fault::PostgresRestart, &format!("{how}, for {:.1} s", duration.as_secs_f64()));
        let metadata = &mut self.cluster.metadata;
        let result = if graceful { metadata.stop() } else { metadata.crash() };
        result.map_err(io("stop PostgreSQL"))?;
        sleep(duration).await;
        metadata.restart().await?;
        self.timeline.end(Fault::PostgresRestart);
        Ok(())
    }

    async fn pause_postgres(&mut self, duration: Duration) -> Result<(), FaultsError> {
        self.timeline.begin(Fault::PostgresPause, &format!("for {:.1} s", duration.as_secs_f64()));
        self.cluster.metadata.pause().map_err(io("pause PostgreSQL"))?;
        sleep(duration).await;
        self.cluster.metadata.resume().map_err(io("resume PostgreSQL"))?;
        self.timeline.end(Fault::PostgresPause);
        Ok(())
    }

    async fn stop_s3(&mut self, duration: Duration) -> Result<(), FaultsError> {
        let graceful = self.rng.bool();
        let how = if graceful { "graceful stop" } else { "SIGKILL" };
        self.timeline.begin(Fault::S3Stop, &format!("{how}, for {:.1} s", duration.as_secs_f64()));
        let results = &mut self.cluster.results;
        let result = if graceful { results.stop() } else { results.kill() };
        result.map_err(io("stop the S3 server"))?;
        sleep(duration).await;
        results.restart().await?;
        self.timeline.end(Fault::S3Stop);
        Ok(())
    }

    async fn slow_down_s3(&mut self, duration: Duration) -> Result<(), FaultsError> {
        let (traffic, how) = if self.rng.bool() {
            let pause = Duration::from_millis(self.rng.u64(100..800));
            (Traffic::Throttle(pause), format!("{} ms per 16 KiB", pause.as_millis()))
        } else {
            (Traffic::Stall, "no traffic".to_owned())
        };
        self.timeline.begin(Fault::S3Slow, &format!("{how}, for {:.1} s", duration.as_secs_f64()));
        self.cluster.results_proxy.set_traffic(traffic);
        sleep(duration).await;
        self.cluster.results_proxy.set_traffic(Traffic::Forward);
        self.timeline.end(Fault::S3Slow);
        Ok(())
    }

    /// Partitions a worker from PostgreSQL for longer than a lease.
    /// Another worker claims its collections, and is reading or done when the first worker returns.
    async fn partition_network(&mut self) -> Result<(), FaultsError> {
        let duration = LEASE + Duration::from_millis(self.rng.u64(1_000..8_000));
        let worker = self.rng.usize(..self.cluster.metadata_proxies.len());
        let Some(proxy) = self.cluster.metadata_proxies.get(worker) else { return Ok(()) };
        let details = format!("worker-{} from PostgreSQL, for {:.1} s", worker + 1, duration.as_secs_f64());
        self.timeline.begin(Fault::NetworkPartition, &details);
        proxy.set_traffic(Traffic::Stall);
        sleep(duration).await;
        proxy.set_traffic(Traffic::Forward);
        self.timeline.end(Fault::NetworkPartition);
        Ok(())
    }

    async fn shift_clock(&mut self, duration: Duration) -> Result<(), FaultsError> {
        let Some(worker) = self.cluster.workers.get(CLOCK_WORKER) else { return Ok(()) };
        let (offset, seconds) = if self.rng.bool() { ("+1h", 3600) } else { ("-1h", -3600) };
        self.timeline
            .begin(Fault::ClockShift, &format!("{} by {offset}, for {:.1} s", worker.name, duration.as_secs_f64()));
        let log_start = worker.log_length();
        let write_offset =
            |offset: &str| fs::write(self.cluster.clock_file(), format!("{offset}\n")).map_err(io("set a clock"));
        write_offset(offset)?;
        wait_for_log_clock_offset(worker, log_start, seconds, "timestamp shifted by one hour").await?;
        sleep(duration).await;
        let log_start = worker.log_length();
        write_offset("+0")?;
        // A worker that S3 rejects retries every two seconds and logs nothing else in between.
        // This wait makes sure that the log also shows the effect of the next fault.
        wait_for_log_clock_offset(worker, log_start, 0, "correct timestamp").await?;
        self.timeline.end(Fault::ClockShift);
        Ok(())
    }

    async fn fill_disk(&mut self, duration: Duration) -> Result<(), FaultsError> {
        let Some(worker) = self.cluster.workers.get(DISK_WORKER) else { return Ok(()) };
        let Some(pid) = worker.pid() else { return Err(worker.failed("it is not running")) };
        // Only the process sees the mount, so the path leads through its root in /proc.
        let mut filler = PathBuf::from(format!("/proc/{pid}/root"));
        filler.push(self.cluster.tmpfs_path().strip_prefix("/").unwrap_or(&self.cluster.tmpfs_path()));
        filler.push("filler");
        self.timeline.begin(Fault::DiskFull, &format!("disk of {}, for {:.1} s", worker.name, duration.as_secs_f64()));
        let (started, log_start) = (Instant::now(), worker.log_length());
        // Fills again the space that collections free, until a collection has logged the error.
        while started.elapsed() < duration || !worker.log_since(log_start).contains(DISK_FULL_MESSAGE) {
            ensure_no_timeout(started, Fault::DiskFull, worker, DISK_FULL_MESSAGE)?;
            fill(&filler)?;
            sleep(Duration::from_millis(100)).await;
        }
        fs::remove_file(&filler).map_err(io("free the disk space"))?;
        self.timeline.end(Fault::DiskFull);
        Ok(())
    }
}

/// Fails if the effect of a fault does not appear in a worker's log within [`EFFECT_TIMEOUT`].
fn ensure_no_timeout(started: Instant, fault: Fault, worker: &ClewProcess, effect: &str) -> Result<(), FaultsError> {
    if started.elapsed() < EFFECT_TIMEOUT {
        return Ok(());
    }
    let reason = format!("the log of {} does not contain {effect:?} after {} s", worker.name, EFFECT_TIMEOUT.as_secs());
    Err(FaultsError::NoEffect { fault: fault.name(), reason })
}

/// Writes to a file until the disk is full.
fn fill(filler: &Path) -> Result<(), FaultsError> {
    let mut file = File::options().create(true).append(true).open(filler).map_err(io("fill a disk"))?;
    let chunk = vec![0; 64 << 10];
    loop {
        match file.write(&chunk) {
            Ok(_) => {}
            Err(full) if full.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(io("fill a disk")(error)),
        }
    }
}

/// Waits until the worker logs a line whose timestamp is off by about this number of seconds.
async fn wait_for_log_clock_offset(
    worker: &ClewProcess,
    log_start: u64,
    seconds: i64,
    effect: &str,
) -> Result<(), FaultsError> {
    let started = Instant::now();
    while !has_logged_clock_offset(worker, log_start, seconds) {
        ensure_no_timeout(started, Fault::ClockShift, worker, effect)?;
        sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

/// Returns true if a log line after `log_start` has a timestamp that is off by about this number of seconds.
fn has_logged_clock_offset(worker: &ClewProcess, log_start: u64, seconds: i64) -> bool {
    let lines = worker.log_since(log_start);
    let timestamps = lines.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("timestamp")?.as_str()?.parse::<Timestamp>().ok()
    });
    let mut offsets = timestamps.map(|timestamp| timestamp.as_millisecond() / 1000 - now_millis() / 1000);
    offsets.any(|offset| (offset - seconds).abs() < 600)
}
