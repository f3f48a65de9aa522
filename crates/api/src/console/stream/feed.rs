//! Renders a node's live session list as server-sent events.
//!
//! Clew caches rendered events, so that subscribers with the same version of the session list can share them.

use std::fmt::Write;

use bytes::Bytes;
use clew_diagnose::json;
use clew_diagnose::session_feed::{DURATION_COLUMN_INDEXES, SessionCounts, SessionFeed, session_feed_column_keys};
use clew_model::{Failure, Language, Limitation};
use clew_mysql::SessionSample;
use clew_worker::NodeFeed;
use serde_json::json;

use crate::messages::format_failure;

/// Most subscribers have the same feed version and share a cached event.
const MAX_CACHED_EVENTS: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct SessionEventFeed {
    watch_id: u32,
    /// Empty before the first sample.
    server: String,
    list: SessionFeed,
    counts: SessionCounts,
    limitations: Vec<Limitation>,
    /// Feed version in which `limitations` last changed.
    limitations_version: u32,
    interval_ms: u64,
    /// The key contains the feed version from which changes are sent, and whether statements are masked.
    cached_events: Vec<((u32, bool), Bytes)>,
}

impl NodeFeed for SessionEventFeed {
    fn new(watch_id: u32) -> Self {
        Self { watch_id, ..Self::default() }
    }

    fn version(&self) -> u32 {
        self.list.version()
    }

    fn session_count(&self) -> usize {
        self.list.len()
    }

    fn apply_sample(&mut self, at: i64, sample: SessionSample, interval_ms: u64) {
        self.server = sample.server.to_string();
        self.list.apply_sample(at, sample.sessions);
        self.counts = sample.counts;
        self.interval_ms = interval_ms;
        if self.limitations != sample.limitations {
            self.limitations = sample.limitations;
            self.limitations_version = self.version();
        }
        self.cached_events.clear();
    }

    fn render_read_error(at: i64, failure: &Failure) -> Bytes {
        let zh_cn = json!({ "reason": format_failure(Language::ZhCn, failure) });
        let data = json!({ "at": at, "kind": failure.kind.name(), "reason": failure.detail, "zh_cn": zh_cn });
        let mut text = String::new();
        append_sse_event(&mut text, None, "read-error", &data.to_string());
        text.into()
    }
}

impl SessionEventFeed {
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
        let Some(changes) = self.list.encode_delta_as_json(from, masked) else {
            let rest = format!(
                "\"masked\":{masked},\"columns\":{},\"running\":{},\"limitations\":{},\"sessions\":{}",
                json!(session_feed_column_keys()),
                json!(DURATION_COLUMN_INDEXES),
                json!(self.limitations),
                self.list.encode_all_sessions_as_json(masked)
            );
            append_sse_event(&mut out, Some(now), "snapshot", &format!("{{{common},{rest}}}"));
            return out;
        };
        append_sse_event(&mut out, Some(now), "changes", &format!("{{{common},{changes}}}"));
        if self.limitations_version > from {
            append_sse_event(&mut out, None, "limitations", &json!(self.limitations).to_string());
        }
        out
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeedPosition {
    /// Random id; each new watch of a node gets another id and starts at version 0.
    pub(super) watch_id: u32,
    pub(super) version: u32,
}

impl FeedPosition {
    /// Returns `None` for an invalid event id, so that the client receives a full snapshot.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (watch_id, version) = id.trim().split_once('-')?;
        Some(Self { watch_id: u32::from_str_radix(watch_id, 16).ok()?, version: version.parse().ok()? })
    }
}

/// `data` must be single-line JSON.
pub(super) fn append_sse_event(out: &mut String, position: Option<FeedPosition>, name: &str, data: &str) {
    if let Some(FeedPosition { watch_id, version }) = position {
        let _ = writeln!(out, "id: {watch_id:08x}-{version}");
    }
    let _ = write!(out, "event: {name}\ndata: {}\n\n", json::escape_unsafe_chars(data));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_round_trip() {
        let position = FeedPosition { watch_id: 0xa1, version: 7 };
        let mut out = String::new();
        append_sse_event(&mut out, Some(position), "changes", "{}");
        assert_eq!(out, "id: 000000a1-7\nevent: changes\ndata: {}\n\n");
        assert_eq!(FeedPosition::parse("000000a1-7"), Some(position));
        for id in ["", "-", "a1", "a1-", "a1-x", "zz-1", "1-99999999999"] {
            assert_eq!(FeedPosition::parse(id), None, "{id}");
        }
    }
}
