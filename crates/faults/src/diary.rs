//! When each fault began and ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;

/// One time that a fault was there, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) fault: Fault,
    pub(crate) begin: i64,
    /// Later than everything as long as it lasts.
    pub(crate) end: i64,
}

/// Says what happens, and remembers it. Clones share it.
#[derive(Clone)]
pub(crate) struct Diary {
    start: Instant,
    events: Arc<Mutex<Vec<Event>>>,
    tell: fn(&str),
}

impl Diary {
    pub(crate) fn telling(tell: fn(&str)) -> Self {
        Self { start: Instant::now(), events: Arc::default(), tell }
    }

    pub(crate) fn say(&self, what: &str) {
        (self.tell)(&format!("{:7.1} s  {what}", self.start.elapsed().as_secs_f64()));
    }

    pub(crate) fn begin(&self, fault: Fault, what: &str) {
        self.say(&format!("{fault} begins: {what}"));
        self.lock().push(Event { fault, begin: now(), end: i64::MAX });
    }

    pub(crate) fn end(&self, fault: Fault) {
        self.say(&format!("{fault} ends"));
        if let Some(event) = self.lock().iter_mut().rev().find(|event| event.fault == fault) {
            event.end = now();
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970, by this machine's clock, which is that of all servers here.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
