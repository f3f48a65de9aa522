//! Requests that the HTTP library refuses before anybody of Clew has seen them: what is no HTTP, or has too large a head. It answers
//! with a bare status and offers no way to say more, so what it writes is replaced on its way out, by the same form of error as
//! everywhere, with the name of the request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use clew_diagnose::json;
use clew_model::{ErrorEntry, Language};
use http::Method;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::info;
use uuid::Uuid;

use super::head::{HEAD_LIMIT, HEADERS_LIMIT};
use crate::Metrics;
use crate::refusal::Refusal;

/// How far the request is that was handed to the service last. The service and the stream of one connection share it.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    /// Its answer has not ended.
    answering: AtomicBool,
    /// Its answer may not have been written whole.
    unwritten: AtomicBool,
}

impl UnderWay {
    /// A request is handed over.
    pub(super) fn begin(&self) {
        self.0.answering.store(true, Ordering::Relaxed);
        self.0.unwritten.store(true, Ordering::Relaxed);
    }

    /// Watches an answer: its body is dropped when its last byte was handed on.
    pub(super) fn until_the_end_of<B>(&self, body: B) -> Answering<B> {
        Answering { body, under_way: self.clone() }
    }

    /// Everything that the library had was written. Returns whether that was the end of an answer.
    fn written(&self) -> bool {
        !self.0.answering.load(Ordering::Relaxed) && self.0.unwritten.swap(false, Ordering::Relaxed)
    }

    /// Nothing of any answer is left to be written.
    fn is_idle(&self) -> bool {
        !self.0.unwritten.load(Ordering::Relaxed)
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answering<B> {
    body: B,
    under_way: UnderWay,
}

impl<B> Drop for Answering<B> {
    fn drop(&mut self) {
        self.under_way.0.answering.store(false, Ordering::Relaxed);
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
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

/// A stream of HTTP. What is written to it while no request is under way, and after everything earlier was written, can only be the
/// library's own answer.
#[derive(Debug)]
pub(super) struct Refused<S> {
    stream: S,
    under_way: UnderWay,
    /// The first line of the next request has come whole.
    first_line: bool,
    /// What is to be written in place of the library's answer.
    ours: Vec<u8>,
    metrics: Metrics,
}

impl<S> Refused<S> {
    pub(super) fn new(stream: S, under_way: UnderWay, metrics: Metrics) -> Self {
        Self { stream, under_way, first_line: false, ours: Vec::new(), metrics }
    }

    /// Whether these bytes are an answer of the library's, which ours then replaces.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if !self.under_way.is_idle() {
            return false;
        }
        let answer = std::str::from_utf8(bytes).ok().and_then(|theirs| self.answer(theirs));
        answer.map(|answer| self.ours = answer).is_some()
    }

    fn answer(&self, theirs: &str) -> Option<Vec<u8>> {
        let head = theirs.strip_suffix("\r\n\r\n")?;
        let refusal = match head.strip_prefix("HTTP/1.")?.split(' ').nth(1)? {
            "400" => Refusal::new(ErrorEntry::BAD_REQUEST),
            // What has no end yet after so much is all of the first line: path and query.
            "431" if self.first_line => {
                let limits = vec![("limit", HEAD_LIMIT.to_string()), ("count", HEADERS_LIMIT.to_string())];
                Refusal::because(ErrorEntry::HEADERS_TOO_LARGE, "headers-limit", limits)
            }
            "414" | "431" => Refusal::uri_too_long(),
            _ => return None,
        };
        let request_id = Uuid::new_v4().simple().to_string();
        let body = json::to_string(&refusal.body(Language::default(), &request_id)).ok()?;
        let status = refusal.status();
        self.metrics.answered(&Method::from_bytes(b"UNKNOWN").unwrap_or_default(), "none", status.as_u16(), 0.0);
        info!(
            http.request_id = request_id,
            http.route = "none",
            http.status = status.as_u16(),
            "refused what is no request"
        );
        let kept = head.lines().skip(1).filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
        let kept: String = kept.flat_map(|line| [line, "\r\n"]).collect();
        let answer = format!(
            "HTTP/1.1 {status}\r\n{kept}content-type: application/json\r\ncontent-length: {}\r\nx-request-id: {request_id}\r\n\
             x-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n{body}",
            body.len()
        );
        Some(answer.into_bytes())
    }
}

impl<S: AsyncWrite + Unpin> Refused<S> {
    fn poll_ours(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ours.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.ours))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.ours.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Refused<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if !self.first_line && self.under_way.is_idle() {
            let new = buffer.filled().get(before..).unwrap_or_default();
            self.first_line = new.contains(&b'\n');
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refused<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_ours(context))?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.under_way.is_idle() {
            let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            return self.poll_write(context, &bytes);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The library flushes only when it has handed on all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.under_way.written() {
            self.first_line = false;
        }
        ready!(self.poll_ours(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_ours(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
