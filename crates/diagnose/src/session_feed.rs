//! Versioned list of the sessions on a database node, with deltas between versions.
//!
//! Each sample of the process list increments the version of the session feed.
//! The session feed stores the version in which each cell last changed.
//! A slow subscriber receives fewer deltas, each with more changes.
//! After a reconnect, a subscriber receives all missed changes in one delta.
//!
//! The feed does not send updates for durations that grow with time, so idle sessions do not cause traffic.
//! Subscribers calculate current durations by adding the time since the latest sample to the sampled durations.
//!
//! ```
//! use clew_diagnose::session_feed::{SampledSession, SessionFeed};
//! use clew_model::Session;
//!
//! let session = |seconds, command: &str| SampledSession {
//!     session: Session { id: 7, user: b"app".to_vec(), command: command.into(), seconds, ..Session::default() },
//!     ..SampledSession::default()
//! };
//! let mut feed = SessionFeed::default();
//! feed.apply_sample(1_000, vec![session(0, "Sleep")]);
//! let last_version = feed.version();
//! feed.apply_sample(2_000, vec![session(1, "Sleep")]);
//! assert_eq!(feed.encode_delta_as_json(last_version, false).unwrap(), r#""changed":{},"gone":[]"#);
//! feed.apply_sample(3_000, vec![session(0, "Query")]);
//! assert_eq!(feed.encode_delta_as_json(last_version, false).unwrap(), r#""changed":{"7":{"5":"Query","7":0}},"gone":[]"#);
//! ```

mod versioned_session_row;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write;

use clew_model::{SESSION_DETAIL_COLUMNS, SESSION_SNAPSHOT_COLUMNS, Session, SessionDetail, Transaction};

use crate::lock_waits::is_lock_wait_state;
use versioned_session_row::VersionedSessionRow;

/// Maximum length of a statement in the feed, in bytes. Requests for session details return the full statement.
pub const MAX_STATEMENT_BYTES: usize = 1024;
const MIN_RETAINED_ENDED_SESSIONS: usize = 10_000;

/// Returns the column keys of a session feed, in the same order as the cells of a row.
#[must_use]
pub fn session_feed_column_keys() -> Vec<&'static str> {
    let details = SESSION_DETAIL_COLUMNS.iter().map(|column| column.key).filter(|key| *key != "statement_digest");
    SESSION_SNAPSHOT_COLUMNS.iter().map(|column| column.key).chain(details).chain(["sql_template"]).collect()
}

/// Indexes of the session feed columns that contain durations in seconds.
pub const DURATION_COLUMN_INDEXES: [usize; 3] = [7, 8, 10];

/// Session in a process list sample, with its transaction and details.
#[derive(Debug, Clone, Default)]
pub struct SampledSession {
    /// Session as listed by the server.
    pub session: Session,
    /// Open transaction of the session.
    pub transaction: Option<Transaction>,
    /// Details of the session.
    pub detail: SessionDetail,
    /// Value of the `waits_for` column that is shown to users without permission to read SQL literals.
    pub masked_waits_for: Option<String>,
}

/// Versioned list of the sessions on a database node.
#[derive(Debug, Default)]
pub struct SessionFeed {
    version: u32,
    sampled_at_millis: i64,
    entries: HashMap<u64, VersionedSessionRow>,
    /// Feed version and session id of each ended session, in chronological order.
    ended: VecDeque<(u32, u64)>,
    min_delta_version: u32,
}

impl SessionFeed {
    /// Returns the current feed version: the number of samples that have been applied to the feed.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns the time of the latest sample as a Unix timestamp in milliseconds.
    #[must_use]
    pub fn sampled_at_millis(&self) -> i64 {
        self.sampled_at_millis
    }

    /// Returns the number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if the feed has no sessions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Updates the feed with a sample of the process list.
    ///
    /// `at` is the Unix timestamp of the sample, in milliseconds.
    pub fn apply_sample(&mut self, at: i64, sessions: Vec<SampledSession>) {
        self.version += 1;
        self.sampled_at_millis = at;
        let version = self.version;
        let mut present = HashSet::with_capacity(sessions.len());
        for live in sessions {
            let id = live.session.id;
            present.insert(id);
            match self.entries.get_mut(&id) {
                Some(existing) if existing.is_same_session(&live.session) => existing.apply_sample(version, at, &live),
                // The server reused the id for another session.
                Some(existing) => {
                    *existing = VersionedSessionRow::new(version, at, &live);
                    self.ended.push_back((version, id));
                }
                None => {
                    self.entries.insert(id, VersionedSessionRow::new(version, at, &live));
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
        while self.ended.len() > MIN_RETAINED_ENDED_SESSIONS.max(self.entries.len()) {
            if let Some((version, _)) = self.ended.pop_front() {
                self.min_delta_version = version;
            }
        }
    }

    /// Returns a JSON object that maps each session id to an array of cells in [`session_feed_column_keys`] order.
    ///
    /// If `masked` is true, the cells contain no literals from SQL statements.
    #[must_use]
    pub fn encode_all_sessions_as_json(&self, masked: bool) -> String {
        let mut out = String::from("{");
        for (number, (id, entry)) in self.entries.iter().enumerate() {
            let _ = write!(out, "{}\"{id}\":", if number == 0 { "" } else { "," });
            entry.write_full_row(&mut out, self.sampled_at_millis, masked);
        }
        out.push('}');
        out
    }

    /// Returns the changes since the feed version `version` as the JSON fields `changed` and `gone`.
    ///
    /// `changed` maps each session id to an array of all cells, or to an object that maps column indexes to changed cells.
    /// `gone` lists the ids of ended sessions.
    /// If a session id is in both `gone` and `changed`, a new session has reused the id.
    /// Returns `None` if `version` is 0 or newer than the feed, or if the changes since `version` are no longer available.
    #[must_use]
    pub fn encode_delta_as_json(&self, version: u32, masked: bool) -> Option<String> {
        if version < self.min_delta_version || version > self.version || version == 0 {
            return None;
        }
        let mut out = String::from("\"changed\":{");
        let mut first = true;
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.changed_version > version) {
            let _ = write!(out, "{}\"{id}\":", if first { "" } else { "," });
            entry.write_row_delta(&mut out, version, self.sampled_at_millis, masked);
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

/// Session counts of a database node, by session state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionCounts {
    /// Total number of sessions.
    pub total: u64,
    /// Number of sessions that are not idle.
    pub active: u64,
    /// Number of active sessions that have been in the current state for at least the slow-session threshold.
    pub slow: u64,
    /// Number of sessions whose transaction has been open for at least the long transaction threshold.
    pub long: u64,
    /// Number of sessions that wait for a lock.
    pub waiting: u64,
}

impl SessionCounts {
    /// Adds a session to the counts.
    /// `threshold` is the minimum duration of slow sessions and long transactions, in seconds.
    pub fn add_session(&mut self, session: &Session, transaction: Option<&Transaction>, threshold: u64) {
        let active = !session.is_idle();
        let waits = transaction.is_some_and(|open| open.lock_wait_seconds.is_some() || open.is_waiting_for_lock())
            || session.state.as_deref().is_some_and(is_lock_wait_state);
        self.total += 1;
        self.active += u64::from(active);
        self.slow += u64::from(active && session.seconds >= threshold);
        self.long += u64::from(transaction.is_some_and(|open| open.seconds >= threshold));
        self.waiting += u64::from(waits);
    }
}

#[cfg(test)]
mod tests;
