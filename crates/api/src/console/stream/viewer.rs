//! One who looks at a node: what goes out to them, and when.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use clew_model::UserId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::event::{self, Position};
use super::standing::{End, Standing};
use super::watched::{News, Seat};
use crate::limits::keyed_slots::Slot;

/// A connection on which nothing comes for longer is taken for dead, by proxies and by browsers.
const ALIVE: Duration = Duration::from_secs(15);
/// Whether the viewer may still see the node is asked at least so often.
const CHECKED: Duration = Duration::from_secs(2);

/// What an answer begins with: the browser learns that it is there, and how soon to come back when it breaks off.
const HELLO: &str = ": clew\nretry: 2000\n\n";

#[derive(Debug)]
pub(super) struct Viewer {
    standing: Standing,
    seat: Seat,
    /// Counts the stream for its principal.
    _slot: Slot<UserId>,
    news: watch::Receiver<News>,
    shutdown: CancellationToken,
    wish: Duration,
    /// How far the viewer knows the list.
    known: Option<Position>,
    /// Whether that was with literals.
    masked: bool,
    /// Troubles that were told.
    troubles: u64,
    stage: Stage,
    /// There is something new, …
    pending: bool,
    /// … and it may be told from now on.
    due: Instant,
    checked: Instant,
    sent: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Watching,
    Over,
}

/// Why a viewer wakes up.
enum Wake {
    Due,
    Check,
    Alive,
}

impl Viewer {
    pub(super) fn new(
        standing: Standing,
        (seat, slot): (Seat, Slot<UserId>),
        wish: Duration,
        known: Option<Position>,
        shutdown: CancellationToken,
    ) -> Self {
        let (now, news, masked) = (Instant::now(), seat.news(), standing.is_masked());
        // Of a node that was never looked at there is nothing to tell.
        let pending = news.borrow().version > 0 || news.borrow().trouble.is_some();
        Self {
            standing,
            seat,
            _slot: slot,
            news,
            shutdown,
            wish,
            known,
            masked,
            troubles: 0,
            stage: Stage::New,
            pending,
            due: now,
            checked: now,
            sent: now,
        }
    }

    /// What goes out next, as soon as it can and must: nothing is kept for a viewer that does not read.
    pub(super) async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        match self.stage {
            Stage::Over => return None,
            Stage::New => {
                self.stage = Stage::Watching;
                return Some((Ok(Bytes::from_static(HELLO.as_bytes())), self));
            }
            Stage::Watching => {}
        }
        loop {
            let wake = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Some(self.end(End::Shutdown)),
                changed = self.news.changed(), if !self.pending => {
                    // The watch only ends when everything does.
                    if changed.is_err() {
                        return Some(self.end(End::Shutdown));
                    }
                    self.pending = true;
                    continue;
                }
                () = sleep_until(self.due), if self.pending => Wake::Due,
                () = sleep_until(self.checked + CHECKED) => Wake::Check,
                () = sleep_until(self.sent + ALIVE) => Wake::Alive,
            };
            if let Err(end) = self.standing.check().await {
                return Some(self.end(end));
            }
            self.checked = Instant::now();
            let text = match wake {
                Wake::Due => self.tell().await,
                Wake::Check => None,
                Wake::Alive => Some(Bytes::from_static(b":\n\n")),
            };
            if let Some(text) = text {
                self.sent = Instant::now();
                return Some((Ok(text), self));
            }
        }
    }

    /// What is new, if anything.
    async fn tell(&mut self) -> Option<Bytes> {
        self.pending = false;
        let news = self.news.borrow_and_update().clone();
        if self.standing.is_masked() != self.masked {
            // What was told before must not stay beside what may be told now.
            (self.masked, self.known) = (self.standing.is_masked(), None);
        }
        if let Some((number, text)) = news.trouble {
            let is_new = number > self.troubles;
            self.troubles = number;
            return is_new.then_some(text);
        }
        // A look may come a little early; the next one would be a whole look too late.
        self.due = Instant::now() + self.wish.mul_f64(0.9);
        let (now, text) = self.seat.told(&news, self.known, self.masked).await;
        if self.known == Some(now) {
            return None;
        }
        self.known = Some(now);
        Some(text)
    }

    fn end(mut self, end: End) -> (Result<Bytes, Infallible>, Self) {
        self.stage = Stage::Over;
        let mut text = String::new();
        event::write(&mut text, None, "end", &format!("{{\"reason\":\"{}\"}}", end.name()));
        (Ok(text.into()), self)
    }
}
