//! Timeline of the injected faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;

/// One injection of a fault, with Unix timestamps in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultEvent {
    pub(crate) fault: Fault,
    pub(crate) begin: i64,
    /// End of the fault, or `i64::MAX` while the fault is active.
    pub(crate) end: i64,
}

/// Records the injected faults and prints progress messages. Clones share the recorded events.
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

    /// Prints a message with the time since the start of the run.
    pub(crate) fn log_progress(&self, message: &str) {
        (self.sink)(&format!("{:7.1} s  {message}", self.start.elapsed().as_secs_f64()));
    }

    /// Records and prints the start of a fault.
    pub(crate) fn record_begin(&self, fault: Fault, details: &str) {
        self.log_progress(&format!("{fault} begins: {details}"));
        self.lock_events().push(FaultEvent { fault, begin: current_unix_millis(), end: i64::MAX });
    }

    /// Records and prints the end of a fault.
    pub(crate) fn record_end(&self, fault: Fault) {
        self.log_progress(&format!("{fault} ends"));
        if let Some(event) = self.lock_events().iter_mut().rev().find(|event| event.fault == fault) {
            event.end = current_unix_millis();
        }
    }

    pub(crate) fn events(&self) -> Vec<FaultEvent> {
        self.lock_events().clone()
    }

    fn lock_events(&self) -> MutexGuard<'_, Vec<FaultEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the Unix time in milliseconds from the machine's clock, which all servers of the cluster share.
pub(crate) fn current_unix_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
