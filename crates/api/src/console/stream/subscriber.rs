//! Produces the server-sent events of one HTTP response from the updates of a node's session list.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use clew_http::ConcurrencySlotGuard;
use clew_model::UserId;
use clew_worker::{NodeWatchSubscription, NodeWatchUpdate};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::authorization::{StreamAuthorization, StreamEndReason};
use super::feed::{self, FeedPosition, SessionEventFeed};

/// Interval between keep-alive comments, which prevent proxies and browsers from closing an idle event stream.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const AUTHORIZATION_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// First lines of each event stream: a comment that flushes the response headers, and the client's reconnection delay.
const STREAM_PREAMBLE: &str = ": clew\nretry: 2000\n\n";

#[derive(Debug)]
pub(super) struct Subscriber {
    authorization: StreamAuthorization,
    subscription: NodeWatchSubscription<SessionEventFeed>,
    _slot: ConcurrencySlotGuard<UserId>,
    updates: watch::Receiver<NodeWatchUpdate>,
    shutdown: CancellationToken,
    interval: Duration,
    position: Option<FeedPosition>,
    masked: bool,
    last_failure_number: u64,
    state: StreamState,
    has_unsent_update: bool,
    next_event_at: Instant,
    authorization_checked_at: Instant,
    last_sent_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamState {
    New,
    Streaming,
    Ended,
}

enum WakeReason {
    Due,
    Check,
    KeepAlive,
}

impl Subscriber {
    pub(super) fn new(
        authorization: StreamAuthorization,
        (subscription, slot): (NodeWatchSubscription<SessionEventFeed>, ConcurrencySlotGuard<UserId>),
        interval: Duration,
        position: Option<FeedPosition>,
        shutdown: CancellationToken,
    ) -> Self {
        let (now, updates, masked) =
            (Instant::now(), subscription.subscribe_to_updates(), authorization.masks_statements());
        // A watch that has neither a sample nor a failure has no update to send.
        let has_unsent_update = updates.borrow().version > 0 || updates.borrow().failure.is_some();
        Self {
            authorization,
            subscription,
            _slot: slot,
            updates,
            shutdown,
            interval,
            position,
            masked,
            last_failure_number: 0,
            state: StreamState::New,
            has_unsent_update,
            next_event_at: now,
            authorization_checked_at: now,
            last_sent_at: now,
        }
    }

    /// Events are rendered only when the client is ready to read, so the server buffers no events for slow clients.
    pub(super) async fn next_chunk(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        match self.state {
            StreamState::Ended => return None,
            StreamState::New => {
                self.state = StreamState::Streaming;
                return Some((Ok(Bytes::from_static(STREAM_PREAMBLE.as_bytes())), self));
            }
            StreamState::Streaming => {}
        }
        loop {
            let wake = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Some(self.end_stream(StreamEndReason::Shutdown)),
                changed = self.updates.changed(), if !self.has_unsent_update => {
                    // The sender is dropped only on server shutdown.
                    if changed.is_err() {
                        return Some(self.end_stream(StreamEndReason::Shutdown));
                    }
                    self.has_unsent_update = true;
                    continue;
                }
                () = sleep_until(self.next_event_at), if self.has_unsent_update => WakeReason::Due,
                () = sleep_until(self.authorization_checked_at + AUTHORIZATION_CHECK_INTERVAL) => WakeReason::Check,
                () = sleep_until(self.last_sent_at + KEEP_ALIVE_INTERVAL) => WakeReason::KeepAlive,
            };
            if let Err(reason) = self.authorization.recheck_authorization().await {
                return Some(self.end_stream(reason));
            }
            self.authorization_checked_at = Instant::now();
            let text = match wake {
                WakeReason::Due => self.render_unsent_update().await,
                WakeReason::Check => None,
                WakeReason::KeepAlive => Some(Bytes::from_static(b":\n\n")),
            };
            if let Some(text) = text {
                self.last_sent_at = Instant::now();
                return Some((Ok(text), self));
            }
        }
    }

    async fn render_unsent_update(&mut self) -> Option<Bytes> {
        self.has_unsent_update = false;
        let update = self.updates.borrow_and_update().clone();
        if self.authorization.masks_statements() != self.masked {
            // The client needs a full snapshot after masking is turned on or off.
            (self.masked, self.position) = (self.authorization.masks_statements(), None);
        }
        if let Some((number, text)) = update.failure {
            let is_new = number > self.last_failure_number;
            self.last_failure_number = number;
            return is_new.then_some(text);
        }
        // The factor 0.9 accepts a sample that is slightly early; waiting for the next sample would delay the event.
        self.next_event_at = Instant::now() + self.interval.mul_f64(0.9);
        let (since, masked) = (self.position, self.masked);
        let (now, text) = self.subscription.render_feed(&update, move |feed| feed.render_events(since, masked)).await;
        if self.position == Some(now) {
            return None;
        }
        self.position = Some(now);
        Some(text)
    }

    fn end_stream(mut self, reason: StreamEndReason) -> (Result<Bytes, Infallible>, Self) {
        self.state = StreamState::Ended;
        let mut text = String::new();
        feed::append_sse_event(&mut text, None, "end", &json!({ "reason": reason }).to_string());
        (Ok(text.into()), self)
    }
}
