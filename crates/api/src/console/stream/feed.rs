//! A node's feed: the session list and its metadata, rendered as server-sent events.
//!
//! Rendered events are cached because subscribers at the same feed version can share them.

use bytes::Bytes;
use clew_diagnose::session_feed::{DURATION_COLUMN_INDEXES, SessionCounts, SessionFeed, session_feed_column_keys};
use clew_model::Limitation;
use clew_mysql::SessionSample;
use serde_json::json;

use super::event::{self, FeedPosition};

/// Maximum number of cached events. A small cache suffices because most subscribers are at the same feed version.
const MAX_CACHED_EVENTS: usize = 8;

#[derive(Debug)]
pub(super) struct NodeFeed {
    watch_id: u32,
    /// Server from which the session list was read; empty before the first sample.
    server: String,
    list: SessionFeed,
    counts: SessionCounts,
    limitations: Vec<Limitation>,
    /// Feed version in which `limitations` (data that the server hides) last changed.
    limitations_changed: u32,
    interval_ms: u64,
    /// Cache of rendered events, keyed by a subscriber's last feed version (0 if none) and statement masking flag.
    cached_events: Vec<((u32, bool), Bytes)>,
}

impl NodeFeed {
    pub(super) fn new(watch_id: u32) -> Self {
        Self {
            watch_id,
            server: String::new(),
            list: SessionFeed::default(),
            counts: SessionCounts::default(),
            limitations: Vec::new(),
            limitations_changed: 0,
            interval_ms: 0,
            cached_events: Vec::new(),
        }
    }

    pub(super) fn version(&self) -> u32 {
        self.list.version()
    }

    pub(super) fn session_count(&self) -> usize {
        self.list.len()
    }

    pub(super) fn apply_sample(&mut self, at: i64, sample: SessionSample, interval_ms: u64) {
        self.server = sample.server.to_string();
        self.list.apply_sample(at, sample.sessions);
        self.counts = sample.counts;
        self.interval_ms = interval_ms;
        if self.limitations != sample.limitations {
            self.limitations = sample.limitations;
            self.limitations_changed = self.version();
        }
        self.cached_events.clear();
    }

    pub(super) fn render_events(&mut self, since: Option<FeedPosition>, masked: bool) -> (FeedPosition, Bytes) {
        let from = since.filter(|since| since.watch_id == self.watch_id).map_or(0, |since| since.version);
        let now = FeedPosition { watch_id: self.watch_id, version: self.version() };
        if let Some((_, text)) = self.cached_events.iter().find(|(key, _)| *key == (from, masked)) {
            return (now, text.clone());
        }
        let text = Bytes::from(self.render_events_since(from, masked, now));
        if self.cached_events.len() < MAX_CACHED_EVENTS {
            self.cached_events.push(((from, masked), text.clone()));
        }
        (now, text)
    }

    fn render_events_since(&self, from: u32, masked: bool, now: FeedPosition) -> String {
        let SessionCounts { total, active, slow, long, waiting } = self.counts;
        let counts = json!({ "total": total, "active": active, "slow": slow, "long": long, "waiting": waiting });
        let (at, interval, server) = (self.list.sampled_at_millis(), self.interval_ms, json!(self.server));
        let common = format!("\"at\":{at},\"interval_ms\":{interval},\"server\":{server},\"counts\":{counts}");
        let mut out = String::new();
        let Some(changes) = self.list.delta_json(from, masked) else {
            let rest = format!(
                "\"masked\":{masked},\"columns\":{},\"running\":{},\"limitations\":{},\"sessions\":{}",
                json!(session_feed_column_keys()),
                json!(DURATION_COLUMN_INDEXES),
                json!(self.limitations),
                self.list.all_sessions_json(masked)
            );
            event::append_sse_event(&mut out, Some(now), "snapshot", &format!("{{{common},{rest}}}"));
            return out;
        };
        event::append_sse_event(&mut out, Some(now), "changes", &format!("{{{common},{changes}}}"));
        if self.limitations_changed > from {
            event::append_sse_event(&mut out, None, "limitations", &json!(self.limitations).to_string());
        }
        out
    }
}
