//! Client for server-sent events.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::call::Call;

/// Timeout for one chunk: exceeded only by a hang.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// Maximum number of other events before an expected one. The server sends at most one event per second.
const MAX_OTHER_EVENTS: usize = 60;

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) data: Value,
    /// Text of the event as received.
    pub(super) text: String,
}

pub(super) struct Events {
    response: reqwest::Response,
    unread: Vec<u8>,
    read: VecDeque<Event>,
}

impl Events {
    pub(super) async fn open(call: Call) -> Self {
        let response = call.into_request().send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "text/event-stream");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-request-id"].len(), 32);
        Self { response, unread: Vec::new(), read: VecDeque::new() }
    }

    /// Returns the next event; `None` when the server has ended the stream.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            let Ok(chunk) = timeout(READ_TIMEOUT, self.response.chunk()).await else {
                panic!("no data within the timeout")
            };
            self.unread.extend_from_slice(&chunk.unwrap()?);
            while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                self.read.extend(parse_event(std::str::from_utf8(&event).unwrap().trim_end()));
            }
        }
    }

    /// Returns the next event with this name. Panics if an event comes before it that is not in `others`, or too many that are.
    pub(super) async fn expect(&mut self, name: &str, others: &[&str]) -> Event {
        for _ in 0..MAX_OTHER_EVENTS {
            let event = self.next().await.unwrap_or_else(|| panic!("stream ended without {name}"));
            if event.name == name {
                return event;
            }
            assert!(others.contains(&event.name.as_str()), "{name} was expected: {event:?}");
        }
        panic!("no {name} among {MAX_OTHER_EVENTS} events")
    }
}

/// Parses an event; `None` for a comment.
fn parse_event(text: &str) -> Option<Event> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
    let data = field("data: ")?;
    Some(Event {
        id: field("id: "),
        name: field("event: ").unwrap(),
        data: serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}")),
        text: text.to_owned(),
    })
}
