//! Format of server-sent events (SSE).

use std::fmt::Write;

use clew_diagnose::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FeedPosition {
    /// Random id of the node watch. Version numbers alone are ambiguous because every watch starts at version 0.
    pub(super) watch_id: u32,
    /// Sequence number of the sample.
    pub(super) version: u32,
}

impl FeedPosition {
    /// Returns `None` if the event id is invalid. The subscriber then receives a full snapshot.
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
