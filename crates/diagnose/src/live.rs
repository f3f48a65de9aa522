//! The sessions of a node as they change: what a viewer who knows them as of one look must be told to know them as of another.
//!
//! Each look has a number, its version, and each cell remembers in which it last changed. So nothing is kept for a viewer but the version
//! that it knows: whoever reads slowly is told less often and more at once, and whoever comes back is told what it missed.
//!
//! Ages that only go on with the clock are no change: ten thousand idle sessions cost nothing. Whoever shows one adds the time since
//! the look that it came with.
//!
//! ```
//! use clew_diagnose::live::{LiveList, LiveSession};
//! use clew_model::Session;
//!
//! let session = |seconds, command: &str| LiveSession {
//!     session: Session { id: 7, user: b"app".to_vec(), command: command.into(), seconds, ..Session::default() },
//!     ..LiveSession::default()
//! };
//! let mut list = LiveList::default();
//! list.update(1_000, vec![session(0, "Sleep")]);
//! let known = list.version();
//! list.update(2_000, vec![session(1, "Sleep")]);
//! assert_eq!(list.since(known, false).unwrap(), r#""changed":{},"gone":[]"#);
//! list.update(3_000, vec![session(0, "Query")]);
//! assert_eq!(list.since(known, false).unwrap(), r#""changed":{"7":{"5":"Query","7":0}},"gone":[]"#);
//! ```

mod entry;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write;

use clew_model::{COLUMNS, DETAIL_COLUMNS, Session, SessionDetail, Transaction};

use crate::waits::is_wait_state;
use entry::Entry;

/// Bytes of a statement that the list keeps. The whole is had by asking for the session.
pub const STATEMENT_KEPT: usize = 1024;
/// Ends of sessions that are remembered at least: who knows the list from before has to be told all of it.
const GONE_KEPT: usize = 10_000;

/// Keys of the columns, in order: those of a snapshot, what is known besides, and the statement's template.
#[must_use]
pub fn columns() -> Vec<&'static str> {
    let details = DETAIL_COLUMNS.iter().map(|column| column.key).filter(|key| *key != "statement_digest");
    COLUMNS.iter().map(|column| column.key).chain(details).chain(["sql_template"]).collect()
}

/// Places of the columns whose numbers go on with the clock by themselves.
pub const RUNNING: [usize; 3] = [7, 8, 10];

/// A session of one look.
#[derive(Debug, Clone, Default)]
pub struct LiveSession {
    /// Its row.
    pub session: Session,
    /// Its open transaction.
    pub transaction: Option<Transaction>,
    /// What else is known of it.
    pub detail: SessionDetail,
    /// What it waits for, for eyes that may see no literals.
    pub waits_for_masked: Option<String>,
}

/// The sessions of a node.
#[derive(Debug, Default)]
pub struct LiveList {
    version: u32,
    /// When the latest look was, in milliseconds since 1970.
    at: i64,
    entries: HashMap<u64, Entry>,
    /// Sessions that ended, and in which version.
    gone: VecDeque<(u32, u64)>,
    /// Who knows the list from before this version must be told all of it.
    floor: u32,
}

impl LiveList {
    /// How many looks there were.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// When the latest look was, in milliseconds since 1970.
    #[must_use]
    pub fn at(&self) -> i64 {
        self.at
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a look that was made at this moment, in milliseconds since 1970.
    pub fn update(&mut self, at: i64, sessions: Vec<LiveSession>) {
        self.version += 1;
        self.at = at;
        let version = self.version;
        let mut there = HashSet::with_capacity(sessions.len());
        for live in sessions {
            let id = live.session.id;
            there.insert(id);
            match self.entries.get_mut(&id) {
                Some(known) if known.is_of(&live.session) => known.update(version, at, &live),
                // Its number was given to another session.
                Some(known) => {
                    *known = Entry::new(version, at, &live);
                    self.gone.push_back((version, id));
                }
                None => {
                    self.entries.insert(id, Entry::new(version, at, &live));
                }
            }
        }
        let gone = &mut self.gone;
        self.entries.retain(|id, _| {
            let is_there = there.contains(id);
            if !is_there {
                gone.push_back((version, *id));
            }
            is_there
        });
        while self.gone.len() > GONE_KEPT.max(self.entries.len()) {
            if let Some((version, _)) = self.gone.pop_front() {
                self.floor = version;
            }
        }
    }

    /// All sessions as an object of JSON: each with its cells in the order of [`columns`]. `masked` is for eyes that may see no literals.
    #[must_use]
    pub fn whole(&self, masked: bool) -> String {
        let mut out = String::from("{");
        for (number, (id, entry)) in self.entries.iter().enumerate() {
            let _ = write!(out, "{}\"{id}\":", if number == 0 { "" } else { "," });
            entry.write_whole(&mut out, self.at, masked);
        }
        out.push('}');
        out
    }

    /// What changed since a version, as two fields of JSON: `changed`, by session either all cells or those that changed by their place,
    /// and `gone`. One that is in both is another session than before. Nothing where that is not known any more.
    #[must_use]
    pub fn since(&self, version: u32, masked: bool) -> Option<String> {
        if version < self.floor || version > self.version || version == 0 {
            return None;
        }
        let mut out = String::from("\"changed\":{");
        let mut first = true;
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.changed > version) {
            let _ = write!(out, "{}\"{id}\":", if first { "" } else { "," });
            entry.write_since(&mut out, version, self.at, masked);
            first = false;
        }
        out.push_str("},\"gone\":[");
        let from = self.gone.partition_point(|(ended, _)| *ended <= version);
        for (number, (_, id)) in self.gone.range(from..).enumerate() {
            let _ = write!(out, "{}{id}", if number == 0 { "" } else { "," });
        }
        out.push(']');
        Some(out)
    }
}

/// How many sessions there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// Those that do something.
    pub active: u64,
    /// Those that have done it for long.
    pub slow: u64,
    /// Those whose transaction has been open for long.
    pub long: u64,
    /// Those that wait for a lock.
    pub waiting: u64,
}

impl Counts {
    /// Counts one more session. `threshold` is in seconds.
    pub fn count(&mut self, session: &Session, transaction: Option<&Transaction>, threshold: u64) {
        let active = !session.command.eq_ignore_ascii_case(b"Sleep");
        let waits = transaction.is_some_and(|open| open.lock_wait_seconds.is_some() || open.waits_for_a_lock())
            || session.state.as_deref().is_some_and(is_wait_state);
        self.total += 1;
        self.active += u64::from(active);
        self.slow += u64::from(active && session.seconds >= threshold);
        self.long += u64::from(transaction.is_some_and(|open| open.seconds >= threshold));
        self.waiting += u64::from(waits);
    }
}

#[cfg(test)]
mod tests;
