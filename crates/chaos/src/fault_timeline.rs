//! Records when faults are injected and removed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;

/// An injected fault, with its start and end as Unix timestamps in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultEvent {
    pub(crate) fault: Fault,
    pub(crate) begin: i64,
    /// End of the fault, or `i64::MAX` while the fault is active.
    pub(crate) end: i64,
}

/// Injected faults with their start and end times. Clones share the recorded faults.
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

    /// Prints the time since the start of the run, followed by the message.
    pub(crate) fn print_progress(&self, message: &str) {
        (self.sink)(&format!("{:7.1} s  {message}", self.start.elapsed().as_secs_f64()));
    }

    pub(crate) fn mark_fault_started(&self, fault: Fault, details: &str) {
        self.print_progress(&format!("{fault} begins: {details}"));
        self.lock_fault_events_mutex().push(FaultEvent { fault, begin: current_unix_millis(), end: i64::MAX });
    }

    pub(crate) fn mark_fault_ended(&self, fault: Fault) {
        self.print_progress(&format!("{fault} ends"));
        if let Some(event) = self.lock_fault_events_mutex().iter_mut().rev().find(|event| event.fault == fault) {
            event.end = current_unix_millis();
        }
    }

    pub(crate) fn events(&self) -> Vec<FaultEvent> {
        self.lock_fault_events_mutex().clone()
    }

    fn lock_fault_events_mutex(&self) -> MutexGuard<'_, Vec<FaultEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// PostgreSQL runs on the same machine, so fault timestamps are comparable with timestamps in the database.
pub(crate) fn current_unix_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
