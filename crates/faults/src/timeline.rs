//! Timeline of the injected faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;

/// One injection of a fault, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) fault: Fault,
    pub(crate) begin: i64,
    /// `i64::MAX` while the fault is active.
    pub(crate) end: i64,
}

/// Prints progress messages and records the faults. Clones share the recorded events.
#[derive(Clone)]
pub(crate) struct Timeline {
    start: Instant,
    events: Arc<Mutex<Vec<Event>>>,
    sink: fn(&str),
}

impl Timeline {
    pub(crate) fn new(sink: fn(&str)) -> Self {
        Self { start: Instant::now(), events: Arc::default(), sink }
    }

    /// Prints a message with the time since the start of the run.
    pub(crate) fn log(&self, message: &str) {
        (self.sink)(&format!("{:7.1} s  {message}", self.start.elapsed().as_secs_f64()));
    }

    /// Records and prints the start of a fault.
    pub(crate) fn begin(&self, fault: Fault, details: &str) {
        self.log(&format!("{fault} begins: {details}"));
        self.lock().push(Event { fault, begin: now_millis(), end: i64::MAX });
    }

    /// Records and prints the end of a fault.
    pub(crate) fn end(&self, fault: Fault) {
        self.log(&format!("{fault} ends"));
        if let Some(event) = self.lock().iter_mut().rev().find(|event| event.fault == fault) {
            event.end = now_millis();
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the milliseconds since 1970 by the machine's clock, which all servers of the cluster share.
pub(crate) fn now_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
