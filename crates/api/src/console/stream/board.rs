//! What all viewers of a node are told from: the list, and what belongs to it. What one is told is kept for the others that know as much.

use bytes::Bytes;
use clew_diagnose::live::{Counts, LiveList, RUNNING, columns};
use clew_model::Limitation;
use clew_mysql::LiveLook;
use serde_json::json;

use super::event::{self, Position};

/// Texts for different viewers that are kept until the next look. Most of them know the same.
const MOST_TEXTS: usize = 8;

#[derive(Debug)]
pub(super) struct Board {
    watch: u32,
    /// The server instance that listed the sessions; empty before the first look.
    server: String,
    list: LiveList,
    counts: Counts,
    limitations: Vec<Limitation>,
    /// In which version they last changed.
    limitations_changed: u32,
    interval_ms: u64,
    /// By the version that is known, 0 for none, and whether literals may be seen.
    texts: Vec<((u32, bool), Bytes)>,
}

impl Board {
    pub(super) fn new(watch: u32) -> Self {
        Self {
            watch,
            server: String::new(),
            list: LiveList::default(),
            counts: Counts::default(),
            limitations: Vec::new(),
            limitations_changed: 0,
            interval_ms: 0,
            texts: Vec::new(),
        }
    }

    pub(super) fn version(&self) -> u32 {
        self.list.version()
    }

    pub(super) fn sessions(&self) -> usize {
        self.list.len()
    }

    /// Takes a look.
    pub(super) fn take(&mut self, at: i64, look: LiveLook, interval_ms: u64) {
        self.server = look.server.to_string();
        self.list.update(at, look.sessions);
        self.counts = look.counts;
        self.interval_ms = interval_ms;
        if self.limitations != look.limitations {
            self.limitations = look.limitations;
            self.limitations_changed = self.version();
        }
        self.texts.clear();
    }

    /// What a viewer must be told who knows the list as of this position, and where it is then.
    pub(super) fn told(&mut self, known: Option<Position>, masked: bool) -> (Position, Bytes) {
        let from = known.filter(|known| known.watch == self.watch).map_or(0, |known| known.version);
        let now = Position { watch: self.watch, version: self.version() };
        if let Some((_, text)) = self.texts.iter().find(|(key, _)| *key == (from, masked)) {
            return (now, text.clone());
        }
        let text = Bytes::from(self.write(from, masked, now));
        if self.texts.len() < MOST_TEXTS {
            self.texts.push(((from, masked), text.clone()));
        }
        (now, text)
    }

    fn write(&self, from: u32, masked: bool, now: Position) -> String {
        let Counts { total, active, slow, long, waiting } = self.counts;
        let counts = json!({ "total": total, "active": active, "slow": slow, "long": long, "waiting": waiting });
        let (at, interval, server) = (self.list.at(), self.interval_ms, json!(self.server));
        let head = format!("\"at\":{at},\"interval_ms\":{interval},\"server\":{server},\"counts\":{counts}");
        let mut out = String::new();
        let Some(changes) = self.list.since(from, masked) else {
            let more = format!(
                "\"masked\":{masked},\"columns\":{},\"running\":{},\"limitations\":{},\"sessions\":{}",
                json!(columns()),
                json!(RUNNING),
                json!(self.limitations),
                self.list.whole(masked)
            );
            event::write(&mut out, Some(now), "snapshot", &format!("{{{head},{more}}}"));
            return out;
        };
        event::write(&mut out, Some(now), "changes", &format!("{{{head},{changes}}}"));
        if self.limitations_changed > from {
            event::write(&mut out, None, "limitations", &json!(self.limitations).to_string());
        }
        out
    }
}
