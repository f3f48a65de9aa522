//! Server-sent events as they are written.

use std::fmt::Write;

use clew_diagnose::json;

/// How far a viewer knows a node's list: as of which look of which watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Names the watch: a node that nobody looked at for a while is watched anew, and counts its looks anew.
    pub(super) watch: u32,
    pub(super) version: u32,
}

impl Position {
    /// As an event's `id` has it. Anything else is no position: whoever sends it is told everything.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (watch, version) = id.trim().split_once('-')?;
        Some(Self { watch: u32::from_str_radix(watch, 16).ok()?, version: version.parse().ok()? })
    }
}

/// Appends an event. `data` is JSON without line ends.
pub(super) fn write(out: &mut String, position: Option<Position>, name: &str, data: &str) {
    if let Some(Position { watch, version }) = position {
        let _ = writeln!(out, "id: {watch:08x}-{version}");
    }
    let _ = write!(out, "event: {name}\ndata: {}\n\n", json::escape(data));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let position = Position { watch: 0xa1, version: 7 };
        let mut out = String::new();
        write(&mut out, Some(position), "changes", "{}");
        assert_eq!(out, "id: 000000a1-7\nevent: changes\ndata: {}\n\n");
        assert_eq!(Position::parse("000000a1-7"), Some(position));
        for id in ["", "-", "a1", "a1-", "a1-x", "zz-1", "1-99999999999"] {
            assert_eq!(Position::parse(id), None, "{id}");
        }
    }
}
