//! Results: downloaded as a stream, taken up again where the connection broke (spec section 1.4).

use clew_model::{InstanceId, NodeId};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};

use crate::Client;
use crate::collection::RequestId;
use crate::error::ClientError;
use crate::exchange::Call;
use crate::retry;
use crate::target::Target;

const DOING: &str = "downloading a result";

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes written.
    pub bytes: u64,
    /// The server's tag of this very content.
    pub etag: Option<String>,
}

/// How far a download is, and what would continue it.
#[derive(Debug, Default)]
struct Position {
    received: u64,
    total: Option<u64>,
    /// A strong tag: only that may be continued.
    etag: Option<String>,
}

impl Client {
    /// Downloads the result of a finished collection.
    ///
    /// When the connection breaks, the rest is asked for; when the result is another one by then, the download begins anew. The
    /// length is checked. `on_progress` is told the bytes so far and, if the server told it, the total.
    pub async fn download<T: Target>(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        target: &mut T,
        mut on_progress: impl FnMut(u64, Option<u64>),
    ) -> Result<Downloaded, ClientError> {
        let downloaded = self.receive_all(instance, node, request_id, target, &mut on_progress).await;
        // Also after an error: what came is kept, to the last byte.
        let finished = target.finish().await;
        let downloaded = downloaded?;
        finished?;
        Ok(downloaded)
    }

    async fn receive_all<T: Target>(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        target: &mut T,
        on_progress: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<Downloaded, ClientError> {
        let mut position = Position::default();
        let mut interruptions = 0;
        loop {
            let response = self.open_result(instance, node, request_id, target, &mut position).await?;
            let error = match self.receive(response, target, &mut position, on_progress).await {
                Ok(()) => return Ok(Downloaded { bytes: position.received, etag: position.etag }),
                Err(error) => error,
            };
            match error {
                ClientError::ConnectionLost { .. } | ClientError::Timeout { .. } => {}
                ClientError::WrongLength { received, total } if received < total => {}
                _ => return Err(error),
            }
            interruptions += 1;
            if interruptions > self.inner.settings.interruptions {
                let last = Box::new(error);
                return Err(ClientError::TooManyInterruptions { interruptions, received: position.received, last });
            }
            tracing::debug!(interruptions, received_bytes = position.received, %error, "download broke off; going on");
            if let Some(pause) = retry::pause(&self.inner.settings, interruptions, &error, retry::chance()) {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Why there is no result, in the server's words; nothing if there is one.
    pub async fn download_error_reason(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
    ) -> Result<Option<String>, ClientError> {
        match self.ask_for_result(instance, node, request_id, &Position::default()).await {
            Ok(_) => Ok(None),
            Err(ClientError::Api { status: 400, error_msg, .. }) => Ok(Some(error_msg)),
            Err(error) => Err(error),
        }
    }

    /// An answer that goes on from the position. Where there is none, target and position are set back to the start.
    async fn open_result<T: Target>(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        target: &mut T,
        position: &mut Position,
    ) -> Result<Response, ClientError> {
        let mut response = self.ask_for_result(instance, node, request_id, position).await;
        if position.rest().is_some() {
            let refused = match &response {
                Ok(response) => response.status() == StatusCode::PARTIAL_CONTENT && !position.goes_on_with(response),
                Err(error) => error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE.as_u16()),
            };
            if refused {
                position.etag = None;
                response = self.ask_for_result(instance, node, request_id, position).await;
            }
        }
        let response = response?;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            if position.rest().is_some() {
                return Ok(response);
            }
            let why = "a part of the result where the whole was asked for";
            return Err(self.asked(DOING, &self.inner.endpoint.to_string()).not_understood(why));
        }
        if position.received > 0 {
            target.restart().await?;
        }
        *position = Position { received: 0, total: response.content_length(), etag: strong_etag(&response) };
        Ok(response)
    }

    async fn ask_for_result(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        position: &Position,
    ) -> Result<Response, ClientError> {
        let project = self.project().await?;
        let path = format!("/v3/{project}/instances/{instance}/nodes/{node}/realtime-session-result");
        // A byte range of a compressed body would be of no use.
        let mut unsigned = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        if let Some((range, etag)) = position.rest() {
            unsigned.extend([(RANGE, range), (IF_RANGE, etag.to_owned())]);
        }
        let query = vec![("request_id", request_id.to_string())];
        self.stream(&Call { unsigned, ..self.get(DOING, project, path, query) }).await
    }

    /// Writes what comes until the end of the answer.
    async fn receive<T: Target>(
        &self,
        mut response: Response,
        target: &mut T,
        position: &mut Position,
        on_progress: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<(), ClientError> {
        let name = self.inner.endpoint.to_string();
        let asked = self.asked(DOING, &name);
        on_progress(position.received, position.total);
        loop {
            let piece = tokio::time::timeout(asked.limit, response.chunk()).await;
            let Some(piece) = piece.map_err(|_| asked.timeout())?.map_err(|error| asked.failed(error))? else { break };
            target.append(&piece).await?;
            position.received += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            on_progress(position.received, position.total);
        }
        match position.total {
            Some(total) if total != position.received => {
                Err(ClientError::WrongLength { received: position.received, total })
            }
            _ => Ok(()),
        }
    }
}

impl Position {
    /// `Range` and `If-Range` of what is missing; nothing if only the whole can be asked for.
    fn rest(&self) -> Option<(String, &str)> {
        let etag = self.etag.as_deref().filter(|_| self.received > 0)?;
        Some((format!("bytes={}-", self.received), etag))
    }

    /// Whether a part is the next one, of the same content.
    fn goes_on_with(&self, response: &Response) -> bool {
        let told = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let next = parse_content_range(told).is_some_and(|(first, total)| {
            first == self.received && (total.is_none() || self.total.is_none() || total == self.total)
        });
        next && strong_etag(response).is_none_or(|etag| self.etag.as_ref() == Some(&etag))
    }
}

/// First byte and total of `bytes 5-9/10`; the total may be `*`.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last).then_some((first, total))
}

fn strong_etag(response: &Response) -> Option<String> {
    let etag = response.headers().get(ETAG)?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_or_refused() {
        for (text, expected) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 5-9/*", Some((5, None))),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("bytes -5/10", None),
            ("items 5-9/10", None),
            ("", None),
            ("bytes 5-9/x", None),
            ("bytes 99999999999999999999-1/1", None),
        ] {
            assert_eq!(parse_content_range(text), expected, "{text}");
        }
    }
}
