//! Adds a body to the error response that hyper sends when it rejects a request as malformed or too large.
//!
//! Hyper sends its own error responses without a body and provides no hook to change them.
//! [`ErrorRewritingStream`] replaces hyper's error response with a JSON error response that contains a request id.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use clew_diagnose::json;
use clew_model::{ApiErrorDefinition, Language};
use http::Method;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::info;
use uuid::Uuid;

use super::request_head::{MAX_REQUEST_HEAD_BYTES, MAX_REQUEST_HEADERS};
use crate::Metrics;
use crate::error::ApiError;

/// Tracks the latest response on a connection. Shared by the HTTP service and the connection's stream.
#[derive(Debug, Clone, Default)]
pub(super) struct ResponseTracker(Arc<ResponseProgress>);

#[derive(Debug, Default)]
struct ResponseProgress {
    /// True from the start of a request until hyper has written the entire response body.
    in_progress: AtomicBool,
    /// True from the start of a request until the entire response has been flushed.
    unflushed: AtomicBool,
}

impl ResponseTracker {
    pub(super) fn mark_request_started(&self) {
        self.0.in_progress.store(true, Ordering::Relaxed);
        self.0.unflushed.store(true, Ordering::Relaxed);
    }

    /// Wraps the body so that the response is marked as complete when hyper drops the body after the last byte.
    pub(super) fn track_response_body<B>(&self, body: B) -> TrackedResponseBody<B> {
        TrackedResponseBody { body, tracker: self.clone() }
    }

    /// Returns `true` if the flush completed a response.
    fn mark_response_flushed(&self) -> bool {
        !self.0.in_progress.load(Ordering::Relaxed) && self.0.unflushed.swap(false, Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        !self.0.unflushed.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct TrackedResponseBody<B> {
    body: B,
    tracker: ResponseTracker,
}

impl<B> Drop for TrackedResponseBody<B> {
    fn drop(&mut self) {
        self.tracker.0.in_progress.store(false, Ordering::Relaxed);
    }
}

impl<B: Body + Unpin> Body for TrackedResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Stream that replaces hyper's own error responses.
///
/// Hyper writes bytes while no request is in progress only if it sends one of its own error responses.
#[derive(Debug)]
pub(super) struct ErrorRewritingStream<S> {
    stream: S,
    tracker: ResponseTracker,
    /// True if the entire request line of the next request has been received.
    first_line_complete: bool,
    replacement: Vec<u8>,
    metrics: Metrics,
}

impl<S> ErrorRewritingStream<S> {
    pub(super) fn new(stream: S, tracker: ResponseTracker, metrics: Metrics) -> Self {
        Self { stream, tracker, first_line_complete: false, replacement: Vec::new(), metrics }
    }

    fn try_replace_error_response(&mut self, bytes: &[u8]) -> bool {
        if !self.tracker.is_idle() {
            return false;
        }
        let replacement =
            std::str::from_utf8(bytes).ok().and_then(|original| self.build_replacement_response(original));
        replacement.map(|replacement| self.replacement = replacement).is_some()
    }

    fn build_replacement_response(&self, original: &str) -> Option<Vec<u8>> {
        let head = original.strip_suffix("\r\n\r\n")?;
        let refusal = match head.strip_prefix("HTTP/1.")?.split(' ').nth(1)? {
            "400" => ApiError::new(ApiErrorDefinition::BAD_REQUEST),
            // If the request line alone exceeds the size limit, the path and query are too long.
            "431" if self.first_line_complete => {
                let limits =
                    vec![("limit", MAX_REQUEST_HEAD_BYTES.to_string()), ("count", MAX_REQUEST_HEADERS.to_string())];
                ApiError::with_detail(ApiErrorDefinition::HEADERS_TOO_LARGE, "headers-limit", limits)
            }
            "414" | "431" => ApiError::uri_too_long_error(),
            _ => return None,
        };
        let request_id = Uuid::new_v4().simple().to_string();
        let body = json::to_string(&refusal.build_body(Language::default(), &request_id)).ok()?;
        let status = refusal.status();
        self.metrics.record_response(&Method::from_bytes(b"UNKNOWN").unwrap_or_default(), "none", status.as_u16(), 0.0);
        info!(
            http.request_id = request_id,
            http.route = "none",
            http.status = status.as_u16(),
            "malformed request rejected"
        );
        let headers = head.lines().skip(1).filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
        let headers: String = headers.flat_map(|line| [line, "\r\n"]).collect();
        let response = format!(
            "HTTP/1.1 {status}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\nx-request-id: {request_id}\r\n\
             x-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n{body}",
            body.len()
        );
        Some(response.into_bytes())
    }
}

impl<S: AsyncWrite + Unpin> ErrorRewritingStream<S> {
    fn poll_write_replacement(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.replacement.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.replacement))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.replacement.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ErrorRewritingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if !self.first_line_complete && self.tracker.is_idle() {
            let new = buffer.filled().get(before..).unwrap_or_default();
            self.first_line_complete = new.contains(&b'\n');
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ErrorRewritingStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.try_replace_error_response(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_write_replacement(context))?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.tracker.is_idle() {
            let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            return self.poll_write(context, &bytes);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes the stream only after it has written all output.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.tracker.mark_response_flushed() {
            self.first_line_complete = false;
        }
        ready!(self.poll_write_replacement(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_replacement(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
