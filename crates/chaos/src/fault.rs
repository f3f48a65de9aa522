//! Faults to inject into the test cluster, and the start and end times of the injected faults.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

clew_model::named_enum! {
    /// Fault to inject into the test cluster. Each variant's name is used on the command line and in the report.
    /// By default, a fault injection run injects all faults in the order in which the enum lists them.
    pub enum Fault {
        /// Kills Clew workers and servers (SIGKILL) and restarts them later.
        Kill = "kill",
        /// Stops or crashes PostgreSQL and restarts it.
        PostgresRestart = "postgresql-restart",
        /// Pauses all PostgreSQL processes with SIGSTOP and then resumes them.
        PostgresPause = "postgresql-pause",
        /// Stops or kills the S3 server and restarts it.
        S3Stop = "s3-stop",
        /// Throttles or stalls the traffic between Clew and S3.
        S3Slow = "s3-slow",
        /// Blocks the traffic between a worker and PostgreSQL for longer than the lease duration of a collection task.
        NetworkPartition = "network-partition",
        /// Shifts the clock of one worker by one hour.
        ClockShift = "clock",
        /// Fills the disk of a worker.
        DiskFull = "disk-full",
    }
}

/// An injected fault, with its start and end as Unix timestamps in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultEvent {
    pub(crate) fault: Fault,
    pub(crate) begin: i64,
    /// `i64::MAX` while the fault is active.
    pub(crate) end: i64,
}

#[derive(Clone)]
pub(crate) struct FaultTimeline {
    start: Instant,
    events: Arc<Mutex<Vec<FaultEvent>>>,
    sink: fn(&str),
}

impl FaultTimeline {
    pub(crate) fn new(sink: fn(&str)) -> Self {
        Self { start: Instant::now(), events: Arc::default(), sink }
    }

    pub(crate) fn print_progress(&self, message: &str) {
        (self.sink)(&format!("{:7.1} s  {message}", self.start.elapsed().as_secs_f64()));
    }

    pub(crate) fn mark_fault_started(&self, fault: Fault, details: &str, duration: Duration) {
        self.print_progress(&format!("{fault} begins: {details}, for {:.1} s", duration.as_secs_f64()));
        self.events.lock().push(FaultEvent { fault, begin: current_unix_millis(), end: i64::MAX });
    }

    pub(crate) fn mark_fault_ended(&self, fault: Fault) {
        self.print_progress(&format!("{fault} ends"));
        if let Some(event) = self.events.lock().iter_mut().rev().find(|event| event.fault == fault) {
            event.end = current_unix_millis();
        }
    }

    pub(crate) fn events(&self) -> Vec<FaultEvent> {
        self.events.lock().clone()
    }
}

/// Fault timestamps are comparable with database timestamps, because PostgreSQL runs on the same machine.
pub(crate) fn current_unix_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
