//! Injects faults into a test cluster and removes each fault after a random duration.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clew_devtools::DevtoolsError;
use clew_testkit::TrafficMode;
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::cluster::{CLOCK_FAULT_WORKER_INDEX, DISK_FAULT_WORKER_INDEX, TestCluster};
use crate::error::{ChaosError, operation_error};
use crate::fault::{Fault, FaultTimeline, current_unix_millis};
use crate::process::ClewProcess;

/// Maximum random duration of all faults except network partitions.
const MAX_FAULT_DURATION: Duration = Duration::from_secs(15);
const COLLECTION_LEASE_DURATION: Duration = Duration::from_secs(10);
const MAX_FAULT_EFFECT_DELAY: Duration = Duration::from_mins(1);
const DISK_FULL_MESSAGE: &str = "No space left on device";

pub(crate) struct FaultInjector<'a> {
    pub(crate) cluster: &'a mut TestCluster,
    pub(crate) rng: Rng,
    pub(crate) timeline: FaultTimeline,
}

impl FaultInjector<'_> {
    /// Network partitions, clock shifts and full disks can last longer than `max_duration`.
    pub(crate) async fn inject_fault(&mut self, fault: Fault, max_duration: Duration) -> Result<(), ChaosError> {
        let max_millis = u64::try_from(max_duration.min(MAX_FAULT_DURATION).as_millis()).unwrap_or(u64::MAX).max(2_000);
        let duration = Duration::from_millis(self.rng.u64(1_000..max_millis));
        match fault {
            Fault::Kill => self.kill_processes(duration.min(Duration::from_secs(6))).await,
            Fault::PostgresRestart => self.restart_postgres(duration.min(Duration::from_secs(8))).await,
            Fault::PostgresPause => self.pause_postgres(duration).await,
            Fault::S3Stop => self.stop_object_storage(duration).await,
            Fault::S3Slow => self.throttle_object_storage(duration).await,
            Fault::NetworkPartition => self.partition_network().await,
            Fault::ClockShift => self.shift_clock(duration.max(Duration::from_secs(5))).await,
            Fault::DiskFull => self.fill_disk(duration.max(Duration::from_secs(4))).await,
        }?;
        self.timeline.mark_fault_ended(fault);
        Ok(())
    }

    async fn kill_processes(&mut self, duration: Duration) -> Result<(), ChaosError> {
        let (workers, servers) = (self.cluster.workers.len(), self.cluster.servers.len());
        let mut victims = vec![self.rng.usize(..workers)];
        if self.rng.bool() {
            victims.push(self.rng.usize(..workers));
        }
        victims.dedup();
        let server = self.rng.bool().then(|| self.rng.usize(..servers));
        let TestCluster { workers, servers, .. } = &mut *self.cluster;
        let killed_workers =
            workers.iter_mut().enumerate().filter(|(at, _)| victims.contains(at)).map(|(_, worker)| worker);
        let killed_servers =
            servers.iter_mut().enumerate().filter(|(at, _)| Some(*at) == server).map(|(_, server)| server);
        let mut killed: Vec<&mut ClewProcess> = killed_workers.chain(killed_servers).collect();
        let names: Vec<&str> = killed.iter().map(|process| process.name.as_str()).collect();
        self.timeline.mark_fault_started(Fault::Kill, &names.join(", "), duration);
        for process in &mut killed {
            process.kill().await?;
        }
        sleep(duration).await;
        for process in &mut killed {
            process.start().await?;
        }
        Ok(())
    }

    async fn restart_postgres(&mut self, duration: Duration) -> Result<(), ChaosError> {
        let graceful = self.rng.bool();
        let how = if graceful { "graceful stop" } else { "crash" };
        self.timeline.mark_fault_started(Fault::PostgresRestart, how, duration);
        let postgresql = &mut self.cluster.postgresql;
        let result = if graceful { postgresql.stop().await } else { postgresql.crash().await };
        result.map_err(operation_error("stop PostgreSQL"))?;
        sleep(duration).await;
        postgresql.restart().await?;
        Ok(())
    }

    async fn pause_postgres(&mut self, duration: Duration) -> Result<(), ChaosError> {
        self.timeline.mark_fault_started(Fault::PostgresPause, "SIGSTOP", duration);
        self.cluster.postgresql.process.pause().map_err(operation_error("pause PostgreSQL"))?;
        sleep(duration).await;
        self.cluster.postgresql.process.resume().map_err(operation_error("resume PostgreSQL"))?;
        Ok(())
    }

    async fn stop_object_storage(&mut self, duration: Duration) -> Result<(), ChaosError> {
        let graceful = self.rng.bool();
        let how = if graceful { "graceful stop" } else { "SIGKILL" };
        self.timeline.mark_fault_started(Fault::S3Stop, how, duration);
        let s3 = &mut self.cluster.s3;
        let result = if graceful { s3.stop().await } else { s3.process.kill() };
        result.map_err(operation_error("stop the S3 server"))?;
        sleep(duration).await;
        s3.restart().await?;
        Ok(())
    }

    async fn throttle_object_storage(&mut self, duration: Duration) -> Result<(), ChaosError> {
        let (traffic, how) = if self.rng.bool() {
            let pause = Duration::from_millis(self.rng.u64(100..800));
            (TrafficMode::Throttle(pause), format!("{} ms per 16 KiB", pause.as_millis()))
        } else {
            (TrafficMode::Stall, "no traffic".to_owned())
        };
        self.timeline.mark_fault_started(Fault::S3Slow, &how, duration);
        self.cluster.s3_proxy.set_traffic_mode(traffic);
        sleep(duration).await;
        self.cluster.s3_proxy.set_traffic_mode(TrafficMode::Forward);
        Ok(())
    }

    async fn partition_network(&mut self) -> Result<(), ChaosError> {
        let duration = COLLECTION_LEASE_DURATION + Duration::from_millis(self.rng.u64(1_000..8_000));
        let worker = self.rng.usize(..self.cluster.postgresql_proxies.len());
        let Some(proxy) = self.cluster.postgresql_proxies.get(worker) else { return Ok(()) };
        let details = format!("worker-{} from PostgreSQL", worker + 1);
        self.timeline.mark_fault_started(Fault::NetworkPartition, &details, duration);
        proxy.set_traffic_mode(TrafficMode::Stall);
        sleep(duration).await;
        proxy.set_traffic_mode(TrafficMode::Forward);
        Ok(())
    }

    async fn shift_clock(&mut self, duration: Duration) -> Result<(), ChaosError> {
        let Some(worker) = self.cluster.workers.get(CLOCK_FAULT_WORKER_INDEX) else { return Ok(()) };
        let (offset, seconds) = if self.rng.bool() { ("+1h", 3600) } else { ("-1h", -3600) };
        self.timeline.mark_fault_started(Fault::ClockShift, &format!("{} by {offset}", worker.name), duration);
        let log_start = worker.current_log_size();
        let write_offset = |offset: &str| {
            fs::write(self.cluster.clock_offset_file_path(), format!("{offset}\n"))
                .map_err(operation_error("set a clock"))
        };
        write_offset(offset)?;
        wait_for_clock_shift(worker, log_start, seconds, "timestamp shifted by one hour").await?;
        sleep(duration).await;
        let log_start = worker.current_log_size();
        write_offset("+0")?;
        // While S3 rejects a worker's requests, the worker retries every two seconds and logs nothing in between.
        // Wait for a correct timestamp in the log, so that the log also shows the effect of the next fault.
        wait_for_clock_shift(worker, log_start, 0, "correct timestamp").await?;
        Ok(())
    }

    async fn fill_disk(&mut self, duration: Duration) -> Result<(), ChaosError> {
        let Some(worker) = self.cluster.workers.get(DISK_FAULT_WORKER_INDEX) else { return Ok(()) };
        let Some(pid) = worker.pid() else { return Err(worker.error_with_log_path("it is not running")) };
        // Use `/proc/PID/root`, because the tmpfs is mounted only in the worker's mount namespace.
        let mut filler = PathBuf::from(format!("/proc/{pid}/root"));
        filler.push(self.cluster.tmpfs_mount_point().strip_prefix("/").unwrap_or(&self.cluster.tmpfs_mount_point()));
        filler.push("filler");
        self.timeline.mark_fault_started(Fault::DiskFull, &format!("disk of {}", worker.name), duration);
        let (started, log_start) = (Instant::now(), worker.current_log_size());
        // Refill the space that collections free until the worker logs the error.
        while started.elapsed() < duration || !worker.read_log_from_offset(log_start).contains(DISK_FULL_MESSAGE) {
            fail_if_fault_effect_is_overdue(started, Fault::DiskFull, worker, DISK_FULL_MESSAGE)?;
            write_file_until_disk_full(&filler)?;
            sleep(Duration::from_millis(100)).await;
        }
        fs::remove_file(&filler).map_err(operation_error("free the disk space"))?;
        Ok(())
    }
}

fn fail_if_fault_effect_is_overdue(
    started: Instant,
    fault: Fault,
    worker: &ClewProcess,
    effect: &str,
) -> Result<(), ChaosError> {
    if started.elapsed() < MAX_FAULT_EFFECT_DELAY {
        return Ok(());
    }
    let reason =
        format!("the log of {} does not contain {effect:?} after {} s", worker.name, MAX_FAULT_EFFECT_DELAY.as_secs());
    Err(DevtoolsError::Failed(format!("the fault {fault} did not take effect: {reason}")).into())
}

fn write_file_until_disk_full(filler: &Path) -> Result<(), ChaosError> {
    let mut file = File::options().create(true).append(true).open(filler).map_err(operation_error("fill a disk"))?;
    let chunk = vec![0; 64 << 10];
    loop {
        match file.write(&chunk) {
            Ok(_) => {}
            Err(full) if full.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(operation_error("fill a disk")(error)),
        }
    }
}

async fn wait_for_clock_shift(
    worker: &ClewProcess,
    log_start: u64,
    seconds: i64,
    effect: &str,
) -> Result<(), ChaosError> {
    let started = Instant::now();
    while !has_logged_shifted_timestamp(worker, log_start, seconds) {
        fail_if_fault_effect_is_overdue(started, Fault::ClockShift, worker, effect)?;
        sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

fn has_logged_shifted_timestamp(worker: &ClewProcess, log_start: u64, seconds: i64) -> bool {
    let lines = worker.read_log_from_offset(log_start);
    let timestamps = lines.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("timestamp")?.as_str()?.parse::<Timestamp>().ok()
    });
    let mut offsets = timestamps.map(|timestamp| timestamp.as_millisecond() / 1000 - current_unix_millis() / 1000);
    offsets.any(|offset| (offset - seconds).abs() < 600)
}
