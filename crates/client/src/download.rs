//! Downloads collection results and resumes interrupted downloads (TaurusDB API spec, section 1.4).

use clew_model::{InstanceId, NodeId};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};

use crate::Client;
use crate::collection::RequestId;
use crate::download_sink::DownloadSink;
use crate::error::ClientError;
use crate::response::RequestContext;
use crate::retry;
use crate::transport::ApiRequest;

const DOWNLOAD_OPERATION_NAME: &str = "downloading a result";

/// Summary of a completed download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadSummary {
    /// Number of bytes written.
    pub bytes: u64,
    /// Entity tag of the result.
    pub etag: Option<String>,
}

struct Download<'a, T, P> {
    client: &'a Client,
    instance: &'a InstanceId,
    node: &'a NodeId,
    request_id: &'a RequestId,
    target: &'a mut T,
    on_progress: P,
    received: u64,
    total: Option<u64>,
    /// Strong entity tag of the result. If there is no strong entity tag, the client cannot resume the download.
    etag: Option<String>,
}

impl Client {
    /// Downloads the result of a finished collection task.
    ///
    /// Resumes an interrupted download, or restarts it if the result has changed or has no strong entity tag.
    /// Verifies the length of the result.
    /// Calls `on_progress` with the number of downloaded bytes and, if known, the size of the result.
    pub async fn download<T: DownloadSink>(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        target: &mut T,
        on_progress: impl FnMut(u64, Option<u64>),
    ) -> Result<DownloadSummary, ClientError> {
        let (received, total, etag) = (0, None, None);
        let mut download =
            Download { client: self, instance, node, request_id, target, on_progress, received, total, etag };
        let downloaded = download.run().await;
        // Finish the sink even after an error, to preserve the received bytes.
        let finished = download.target.finish().await;
        downloaded?;
        finished?;
        Ok(DownloadSummary { bytes: download.received, etag: download.etag })
    }

    /// Returns the server's message about why a collection task has no result, or `None` if the task has a result.
    pub async fn fetch_collection_failure_reason(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
    ) -> Result<Option<String>, ClientError> {
        match self.request_collection_result(instance, node, request_id, None).await {
            Ok(_) => Ok(None),
            Err(ClientError::Api { status: 400, error_msg, .. }) => Ok(Some(error_msg)),
            Err(error) => Err(error),
        }
    }

    async fn request_collection_result(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        range_and_etag: Option<(String, &str)>,
    ) -> Result<Response, ClientError> {
        let (operation, node) = (DOWNLOAD_OPERATION_NAME, (instance, node));
        let request =
            self.build_node_request(operation, node, "realtime-session-result", Some(request_id.as_str())).await?;
        // A download with a compressed body cannot be resumed by byte range.
        let mut unsigned_headers = vec![(ACCEPT_ENCODING, "identity".to_owned())];
        if let Some((range, etag)) = range_and_etag {
            unsigned_headers.extend([(RANGE, range), (IF_RANGE, etag.to_owned())]);
        }
        self.send_request_with_retries(&ApiRequest { unsigned_headers, ..request }).await
    }
}

impl<'a, T: DownloadSink, P: FnMut(u64, Option<u64>)> Download<'a, T, P> {
    async fn run(&mut self) -> Result<(), ClientError> {
        let settings = &self.client.inner.config.settings;
        let mut interruptions = 0;
        loop {
            let response = self.open_result_stream().await?;
            let error = match self.write_body_to_sink(response).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error {
                ClientError::ConnectionLost { .. } | ClientError::Timeout { .. } => {}
                ClientError::LengthMismatch { received, total } if received < total => {}
                _ => return Err(error),
            }
            interruptions += 1;
            if interruptions > settings.max_interruptions {
                let last = Box::new(error);
                return Err(ClientError::TooManyInterruptions { interruptions, received: self.received, last });
            }
            tracing::debug!(interruptions, received_bytes = self.received, %error, "download was interrupted; resuming");
            if let Some(pause) = retry::compute_backoff_delay(settings, interruptions, &error, retry::random_jitter()) {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// If the download cannot be resumed, discards the received data and requests the complete result.
    async fn open_result_stream(&mut self) -> Result<Response, ClientError> {
        let mut response = self.request_remaining_bytes().await;
        if self.build_range_headers().is_some() {
            let refused = match &response {
                Ok(response) => {
                    response.status() == StatusCode::PARTIAL_CONTENT && !self.is_continuation_of_download(response)
                }
                Err(error) => error.http_status() == Some(StatusCode::RANGE_NOT_SATISFIABLE.as_u16()),
            };
            if refused {
                self.etag = None;
                response = self.request_remaining_bytes().await;
            }
        }
        let response = response?;
        if response.status() == StatusCode::PARTIAL_CONTENT {
            if self.build_range_headers().is_some() {
                return Ok(response);
            }
            return Err(self
                .request_context()
                .invalid_response_error("partial content instead of the complete result"));
        }
        if self.received > 0 {
            self.target.restart().await?;
        }
        (self.received, self.total, self.etag) = (0, response.content_length(), parse_strong_etag(&response));
        Ok(response)
    }

    async fn request_remaining_bytes(&mut self) -> Result<Response, ClientError> {
        let range_and_etag = self.build_range_headers();
        self.client.request_collection_result(self.instance, self.node, self.request_id, range_and_etag).await
    }

    async fn write_body_to_sink(&mut self, mut response: Response) -> Result<(), ClientError> {
        let context = self.request_context();
        (self.on_progress)(self.received, self.total);
        loop {
            let chunk = tokio::time::timeout(context.timeout, response.chunk()).await;
            let Some(chunk) =
                chunk.map_err(|_| context.timeout_error())?.map_err(|error| context.transport_error(error))?
            else {
                break;
            };
            self.target.append_bytes(&chunk).await?;
            self.received += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            (self.on_progress)(self.received, self.total);
        }
        match self.total {
            Some(total) if total != self.received => {
                Err(ClientError::LengthMismatch { received: self.received, total })
            }
            _ => Ok(()),
        }
    }

    fn request_context(&self) -> RequestContext<'a> {
        self.client.new_request_context(DOWNLOAD_OPERATION_NAME, &self.client.inner.endpoint)
    }

    fn build_range_headers(&self) -> Option<(String, &str)> {
        let etag = self.etag.as_deref().filter(|_| self.received > 0)?;
        Some((format!("bytes={}-", self.received), etag))
    }

    fn is_continuation_of_download(&self, response: &Response) -> bool {
        let content_range =
            response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_next = parse_content_range(content_range).is_some_and(|(first, total)| {
            first == self.received && (total.is_none() || self.total.is_none() || total == self.total)
        });
        is_next && parse_strong_etag(response).is_none_or(|etag| self.etag.as_ref() == Some(&etag))
    }
}

/// Returns the offset of the first byte and, if known, the total length.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last).then_some((first, total))
}

fn parse_strong_etag(response: &Response) -> Option<String> {
    let etag = response.headers().get(ETAG)?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_content_ranges_are_rejected() {
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
