//! A result to download: a header row before it, ranges, tags, compression, and never more of it in memory than a piece.

mod conditions;
mod encoding;
mod pieces;
mod range;

use std::io;

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clew_model::ErrorEntry;
use clew_store::StoredResult;
use futures_util::future::Either;
use futures_util::stream::{self, Stream, StreamExt};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, RANGE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::refusal::Refusal;
use encoding::Encoding;
pub(crate) use encoding::accepts as accepts_encoding;
use pieces::{PIECE, Pieces};
use range::{Asked, ByteRange};

/// A header row and a stored result behind it, as one body.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) header: Vec<u8>,
    pub(crate) stored: StoredResult,
    pub(crate) stored_bytes: u64,
    /// Names the content: the same for the same bytes, and for no others.
    pub(crate) tag: String,
    pub(crate) file_name: String,
}

impl Download {
    /// The answer to a request with this method and these headers. Ranges have a meaning for GET only (RFC 9110, section 14.2).
    pub(crate) fn answer(self, method: &Method, headers: &HeaderMap) -> Result<Response, Refusal> {
        let length = self.header.len() as u64 + self.stored_bytes;
        let plain_tag = format!("\"{}\"", self.tag);
        let asked = match headers.get(RANGE) {
            Some(range) if method == Method::GET && conditions::range_applies(headers, &plain_tag) => {
                range::parse(range, length)
            }
            _ => Asked::Whole,
        };
        let encoding = if matches!(asked, Asked::Whole) { encoding::choose(headers) } else { Encoding::Identity };
        let tag = match encoding {
            Encoding::Identity => plain_tag,
            // Weak: how the compressor cuts its output depends on how fast the file is read.
            encoding => format!("W/\"{}-{}\"", self.tag, encoding.name()),
        };
        let not_modified = conditions::not_modified(headers, &tag);
        let mut answer = vec![
            (VARY, "Accept-Encoding, X-Language".to_owned()),
            (CACHE_CONTROL, "private, no-cache".to_owned()),
            (ETAG, tag),
        ];
        if not_modified {
            return respond(StatusCode::NOT_MODIFIED, answer, Body::empty());
        }
        answer.extend([
            (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
            (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.file_name)),
            (ACCEPT_RANGES, "bytes".to_owned()),
        ]);
        match asked {
            Asked::Nothing => beyond(length),
            Asked::Part(part) => {
                answer.push((CONTENT_LENGTH, part.length().to_string()));
                answer.push((CONTENT_RANGE, format!("bytes {}-{}/{length}", part.first, part.last)));
                let body = Body::from_stream(self.pieces(part));
                respond(StatusCode::PARTIAL_CONTENT, answer, body)
            }
            Asked::Whole => {
                let whole = ByteRange { first: 0, last: length.saturating_sub(1) };
                let pieces = self.pieces(whole);
                let body = match encoding {
                    Encoding::Identity => {
                        answer.push((CONTENT_LENGTH, length.to_string()));
                        Body::from_stream(pieces)
                    }
                    Encoding::Gzip => piecewise(GzipEncoder::with_quality(
                        StreamReader::new(pieces),
                        async_compression::Level::Fastest,
                    )),
                    Encoding::Zstd => piecewise(ZstdEncoder::new(StreamReader::new(pieces))),
                };
                if encoding != Encoding::Identity {
                    answer.push((CONTENT_ENCODING, encoding.name().to_owned()));
                }
                respond(StatusCode::OK, answer, body)
            }
        }
    }

    /// A part of header row and result.
    fn pieces(self, part: ByteRange) -> Either<Pieces, impl Stream<Item = io::Result<Bytes>>> {
        let boundary = self.header.len() as u64;
        let end = part.last + 1;
        let within = |at: u64| usize::try_from(at.min(boundary)).unwrap_or(usize::MAX);
        let header = Bytes::from(self.header).slice(within(part.first)..within(end));
        let (next, end) = (part.first.saturating_sub(boundary), end.saturating_sub(boundary));
        match self.stored {
            StoredResult::File(file) => Either::Left(Pieces::new(header, file, next, end)),
            StoredResult::Object(object) => {
                let header = stream::iter((!header.is_empty()).then_some(Ok(header)));
                Either::Right(header.chain(object.pieces(next..end)))
            }
        }
    }
}

/// The range is not there; the client learns what is.
fn beyond(length: u64) -> Result<Response, Refusal> {
    let arguments = vec![("length", length.to_string())];
    let mut response = Refusal::because(ErrorEntry::RANGE_NOT_SATISFIABLE, "range-limit", arguments).into_response();
    let value = HeaderValue::try_from(format!("bytes */{length}")).map_err(|error| Refusal::internal(&error))?;
    response.headers_mut().insert(CONTENT_RANGE, value);
    Ok(response)
}

fn piecewise(reader: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(reader, PIECE))
}

fn respond(status: StatusCode, headers: Vec<(HeaderName, String)>, body: Body) -> Result<Response, Refusal> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).map_err(|error| Refusal::internal(&error))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
