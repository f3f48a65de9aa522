//! Session feed: the sessions of a node as versioned data with deltas.
//!
//! Each sample increments the version, and each cell stores the version of its last change.
//! So the server stores only one version number per subscriber.
//! A slow subscriber gets fewer and larger deltas; a reconnecting subscriber gets the changes that it missed.
//!
//! A duration that only grows with the clock is not a change, so 10,000 idle sessions cause no traffic.
//! The subscriber adds the time that has passed since the sample in which the cell was sent.
//!
//! ```
//! use clew_diagnose::session_feed::{SampledSession, SessionFeed};
//! use clew_model::Session;
//!
//! let session = |seconds, command: &str| SampledSession {
//!     session: Session { id: 7, user: b"app".to_vec(), command: command.into(), seconds, ..Session::default() },
//!     ..SampledSession::default()
//! };
//! let mut list = SessionFeed::default();
//! list.update(1_000, vec![session(0, "Sleep")]);
//! let known = list.version();
//! list.update(2_000, vec![session(1, "Sleep")]);
//! assert_eq!(list.delta(known, false).unwrap(), r#""changed":{},"gone":[]"#);
//! list.update(3_000, vec![session(0, "Query")]);
//! assert_eq!(list.delta(known, false).unwrap(), r#""changed":{"7":{"5":"Query","7":0}},"gone":[]"#);
//! ```

mod entry;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write;

use clew_model::{COLUMNS, DETAIL_COLUMNS, Session, SessionDetail, Transaction};

use crate::waits::is_wait_state;
use entry::SessionEntry;

/// Maximum number of bytes of a statement in the feed. The session's detail request returns the full statement.
pub const MAX_STATEMENT_BYTES: usize = 1024;
/// Minimum number of ended sessions that are stored. A subscriber with an older version needs the full list.
const MIN_ENDED_CAPACITY: usize = 10_000;

/// Column keys in order: columns of a snapshot, detail columns, and the statement's template.
#[must_use]
pub fn column_keys() -> Vec<&'static str> {
    let details = DETAIL_COLUMNS.iter().map(|column| column.key).filter(|key| *key != "statement_digest");
    COLUMNS.iter().map(|column| column.key).chain(details).chain(["sql_template"]).collect()
}

/// Indexes of the columns whose numbers grow with the clock.
pub const ELAPSED_COLUMNS: [usize; 3] = [7, 8, 10];

/// A session of one sample.
#[derive(Debug, Clone, Default)]
pub struct SampledSession {
    /// Session as listed by the server.
    pub session: Session,
    /// Open transaction of the session.
    pub transaction: Option<Transaction>,
    /// Details of the session.
    pub detail: SessionDetail,
    /// Masked `waits_for`, for users who may not see literals.
    pub masked_waits_for: Option<String>,
}

/// Versioned list of a node's sessions.
#[derive(Debug, Default)]
pub struct SessionFeed {
    version: u32,
    /// Time of the latest sample, in milliseconds since 1970.
    at: i64,
    entries: HashMap<u64, SessionEntry>,
    /// Version and id of ended sessions, oldest first.
    ended: VecDeque<(u32, u64)>,
    /// Minimum version for which a delta is available.
    min_delta_version: u32,
}

impl SessionFeed {
    /// Current version: the number of samples.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Time of the latest sample, in milliseconds since 1970.
    #[must_use]
    pub fn sampled_at(&self) -> i64 {
        self.at
    }

    /// Number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the list has no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Applies a sample taken at `at`, in milliseconds since 1970.
    pub fn update(&mut self, at: i64, sessions: Vec<SampledSession>) {
        self.version += 1;
        self.at = at;
        let version = self.version;
        let mut present = HashSet::with_capacity(sessions.len());
        for live in sessions {
            let id = live.session.id;
            present.insert(id);
            match self.entries.get_mut(&id) {
                Some(existing) if existing.is_same_session(&live.session) => existing.update(version, at, &live),
                // The server reused the id for another session.
                Some(existing) => {
                    *existing = SessionEntry::new(version, at, &live);
                    self.ended.push_back((version, id));
                }
                None => {
                    self.entries.insert(id, SessionEntry::new(version, at, &live));
                }
            }
        }
        let ended = &mut self.ended;
        self.entries.retain(|id, _| {
            let is_present = present.contains(id);
            if !is_present {
                ended.push_back((version, *id));
            }
            is_present
        });
        while self.ended.len() > MIN_ENDED_CAPACITY.max(self.entries.len()) {
            if let Some((version, _)) = self.ended.pop_front() {
                self.min_delta_version = version;
            }
        }
    }

    /// All sessions as a JSON object: session id to cells in the order of [`column_keys`].
    ///
    /// With `masked`, literals are removed.
    #[must_use]
    pub fn full(&self, masked: bool) -> String {
        let mut out = String::from("{");
        for (number, (id, entry)) in self.entries.iter().enumerate() {
            let _ = write!(out, "{}\"{id}\":", if number == 0 { "" } else { "," });
            entry.write_full(&mut out, self.at, masked);
        }
        out.push('}');
        out
    }

    /// Changes since a version, as the JSON fields `changed` and `gone`.
    ///
    /// `changed` maps a session id to all cells, or to the changed cells by column index.
    /// `gone` lists the ids of ended sessions; an id in both fields was reused by another session.
    /// `None` if the version is too old.
    #[must_use]
    pub fn delta(&self, version: u32, masked: bool) -> Option<String> {
        if version < self.min_delta_version || version > self.version || version == 0 {
            return None;
        }
        let mut out = String::from("\"changed\":{");
        let mut first = true;
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.changed_version > version) {
            let _ = write!(out, "{}\"{id}\":", if first { "" } else { "," });
            entry.write_delta(&mut out, version, self.at, masked);
            first = false;
        }
        out.push_str("},\"gone\":[");
        let from = self.ended.partition_point(|(ended_in, _)| *ended_in <= version);
        for (number, (_, id)) in self.ended.range(from..).enumerate() {
            let _ = write!(out, "{}{id}", if number == 0 { "" } else { "," });
        }
        out.push(']');
        Some(out)
    }
}

/// Number of sessions by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionCounts {
    /// All sessions.
    pub total: u64,
    /// Sessions that are not idle.
    pub active: u64,
    /// Active sessions whose state lasts at least the threshold.
    pub slow: u64,
    /// Sessions with a transaction that is open for at least the threshold.
    pub long: u64,
    /// Sessions that wait for a lock.
    pub waiting: u64,
}

impl SessionCounts {
    /// Counts a session. `threshold` is in seconds.
    pub fn add(&mut self, session: &Session, transaction: Option<&Transaction>, threshold: u64) {
        let active = !session.command.eq_ignore_ascii_case(b"Sleep");
        let waits = transaction.is_some_and(|open| open.lock_wait_seconds.is_some() || open.is_waiting_for_lock())
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
