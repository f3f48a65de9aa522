//! HTTP download responses with support for range requests, entity tags and compression.

pub(crate) mod conditional_requests;
pub(crate) mod encoding;
mod file_stream;
mod range;

use std::io;
use std::ops::Range;

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, RANGE, VARY,
};
use http::{HeaderMap, Method, StatusCode};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use conditional_requests::{is_not_modified, satisfies_if_range_header};
use encoding::{ContentEncoding, choose_encoding};
pub use file_stream::FileStream;
use file_stream::MAX_CHUNK_BYTES;
use range::{RangeRequest, parse_range_header};

/// Download that sends bytes from memory, followed by the content of a file or another byte source.
#[derive(Debug)]
pub struct Download<F> {
    /// Bytes that are sent before the content, such as a CSV header row.
    pub prefix: Bytes,
    /// Length of the content, in bytes.
    pub content_bytes: u64,
    /// Function that opens a stream for a byte range of the content.
    pub open_range: F,
    /// Strong entity tag of the uncompressed download, without quotes.
    pub tag: String,
    /// Value of the `Content-Type` header.
    pub content_type: &'static str,
    /// Suggested name of the downloaded file.
    pub file_name: String,
    /// Value of the `Vary` header.
    pub vary: &'static str,
}

impl<F, S> Download<F>
where
    F: FnOnce(Range<u64>) -> S,
    S: Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    /// Returns the length of the uncompressed download, in bytes.
    #[must_use]
    pub fn uncompressed_length(&self) -> u64 {
        self.prefix.len() as u64 + self.content_bytes
    }

    /// Builds the response. A response with the status 304 or 416 has no body.
    ///
    /// The `Range` header applies only to GET requests (RFC 9110, section 14.2).
    /// Returns an error if the entity tag or the file name is not a valid header value.
    pub fn build_response(self, method: &Method, headers: &HeaderMap) -> http::Result<Response> {
        let length = self.uncompressed_length();
        let plain_tag = format!("\"{}\"", self.tag);
        let is_range_request = method == Method::GET && satisfies_if_range_header(headers, &plain_tag);
        let range = headers.get(RANGE).filter(|_| is_range_request);
        let requested = range.map_or(RangeRequest::Full, |range| parse_range_header(range, length));
        let encoding = match requested {
            RangeRequest::Full => choose_encoding(headers),
            _ => ContentEncoding::Identity,
        };
        let tag = match encoding {
            ContentEncoding::Identity => plain_tag,
            // The tag is weak because the compressed bytes depend on how many bytes each read returns.
            encoding => format!("W/\"{}-{}\"", self.tag, encoding.name()),
        };
        let response =
            Response::builder().header(VARY, self.vary).header(CACHE_CONTROL, "private, no-cache").header(ETAG, &tag);
        if is_not_modified(headers, &tag) {
            return response.status(StatusCode::NOT_MODIFIED).body(Body::empty());
        }
        let response = response
            .header(CONTENT_TYPE, self.content_type)
            .header(CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.file_name))
            .header(ACCEPT_RANGES, "bytes");
        match requested {
            RangeRequest::Unsatisfiable => Response::builder()
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(CONTENT_RANGE, format!("bytes */{length}"))
                .body(Body::empty()),
            RangeRequest::Partial(part) => response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_LENGTH, part.end - part.start)
                .header(CONTENT_RANGE, format!("bytes {}-{}/{length}", part.start, part.end - 1))
                .body(Body::from_stream(self.open_stream(part))),
            RangeRequest::Full => {
                let stream = self.open_stream(0..length);
                let body = match encoding {
                    ContentEncoding::Identity => {
                        return response.header(CONTENT_LENGTH, length).body(Body::from_stream(stream));
                    }
                    ContentEncoding::Gzip => build_compressed_body(GzipEncoder::with_quality(
                        StreamReader::new(stream),
                        async_compression::Level::Fastest,
                    )),
                    ContentEncoding::Zstd => build_compressed_body(ZstdEncoder::new(StreamReader::new(stream))),
                };
                response.header(CONTENT_ENCODING, encoding.name()).body(body)
            }
        }
    }

    fn open_stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let boundary = self.prefix.len() as u64;
        let clamp = |at: u64| usize::try_from(at.min(boundary)).unwrap_or(usize::MAX);
        let prefix = self.prefix.slice(clamp(range.start)..clamp(range.end));
        let content = (self.open_range)(range.start.saturating_sub(boundary)..range.end.saturating_sub(boundary));
        stream::iter((!prefix.is_empty()).then_some(Ok(prefix))).chain(content)
    }
}

fn build_compressed_body(reader: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(reader, MAX_CHUNK_BYTES))
}
