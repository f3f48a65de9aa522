//! Serves stored results as CSV downloads with a header row. Downloads support ranges, entity tags and compression.

mod body_stream;
mod conditional_requests;
mod encoding;
mod range;

use std::io;

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use clew_model::ApiErrorDefinition;
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

use crate::error::ApiError;
use body_stream::{DownloadBodyStream, MAX_CHUNK_BYTES};
use encoding::ContentEncoding;
pub(crate) use encoding::accepts_encoding;
use range::{ByteRange, RangeRequest};

#[derive(Debug)]
pub(crate) struct StoredResultDownload {
    pub(crate) header: Vec<u8>,
    pub(crate) stored: StoredResult,
    pub(crate) stored_bytes: u64,
    /// Strong entity tag of the uncompressed content, without quotes.
    pub(crate) tag: String,
    pub(crate) file_name: String,
}

impl StoredResultDownload {
    /// The `Range` header applies only to GET requests (RFC 9110, section 14.2).
    pub(crate) fn respond(self, method: &Method, headers: &HeaderMap) -> Result<Response, ApiError> {
        let length = self.header.len() as u64 + self.stored_bytes;
        let plain_tag = format!("\"{}\"", self.tag);
        let requested = match headers.get(RANGE) {
            Some(range)
                if method == Method::GET && conditional_requests::satisfies_if_range_header(headers, &plain_tag) =>
            {
                range::parse_range_header(range, length)
            }
            _ => RangeRequest::Full,
        };
        let encoding = if matches!(requested, RangeRequest::Full) {
            encoding::choose_encoding(headers)
        } else {
            ContentEncoding::Identity
        };
        let tag = match encoding {
            ContentEncoding::Identity => plain_tag,
            // The tag is weak because the compressed bytes depend on how many bytes each read returns.
            encoding => format!("W/\"{}-{}\"", self.tag, encoding.name()),
        };
        let not_modified = conditional_requests::is_not_modified(headers, &tag);
        let mut response_headers = vec![
            (VARY, "Accept-Encoding, X-Language".to_owned()),
            (CACHE_CONTROL, "private, no-cache".to_owned()),
            (ETAG, tag),
        ];
        if not_modified {
            return build_response(StatusCode::NOT_MODIFIED, response_headers, Body::empty());
        }
        response_headers.extend([
            (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
            (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.file_name)),
            (ACCEPT_RANGES, "bytes".to_owned()),
        ]);
        match requested {
            RangeRequest::Unsatisfiable => range_not_satisfiable_response(length),
            RangeRequest::Partial(part) => {
                response_headers.push((CONTENT_LENGTH, part.length().to_string()));
                response_headers.push((CONTENT_RANGE, format!("bytes {}-{}/{length}", part.first, part.last)));
                let body = Body::from_stream(self.stream_range(part));
                build_response(StatusCode::PARTIAL_CONTENT, response_headers, body)
            }
            RangeRequest::Full => {
                let full = ByteRange { first: 0, last: length.saturating_sub(1) };
                let stream = self.stream_range(full);
                let body = match encoding {
                    ContentEncoding::Identity => {
                        response_headers.push((CONTENT_LENGTH, length.to_string()));
                        Body::from_stream(stream)
                    }
                    ContentEncoding::Gzip => build_compressed_body(GzipEncoder::with_quality(
                        StreamReader::new(stream),
                        async_compression::Level::Fastest,
                    )),
                    ContentEncoding::Zstd => build_compressed_body(ZstdEncoder::new(StreamReader::new(stream))),
                };
                if encoding != ContentEncoding::Identity {
                    response_headers.push((CONTENT_ENCODING, encoding.name().to_owned()));
                }
                build_response(StatusCode::OK, response_headers, body)
            }
        }
    }

    fn stream_range(self, part: ByteRange) -> Either<DownloadBodyStream, impl Stream<Item = io::Result<Bytes>>> {
        let boundary = self.header.len() as u64;
        let end = part.last + 1;
        let clamp = |at: u64| usize::try_from(at.min(boundary)).unwrap_or(usize::MAX);
        let header = Bytes::from(self.header).slice(clamp(part.first)..clamp(end));
        let (next, end) = (part.first.saturating_sub(boundary), end.saturating_sub(boundary));
        match self.stored {
            StoredResult::File(file) => Either::Left(DownloadBodyStream::new(header, file, next, end)),
            StoredResult::Object(object) => {
                let header = stream::iter((!header.is_empty()).then_some(Ok(header)));
                Either::Right(header.chain(object.into_chunk_stream(next..end)))
            }
        }
    }
}

fn range_not_satisfiable_response(length: u64) -> Result<Response, ApiError> {
    let arguments = vec![("length", length.to_string())];
    let mut response =
        ApiError::with_detail(ApiErrorDefinition::RANGE_NOT_SATISFIABLE, "range-limit", arguments).into_response();
    let value = HeaderValue::try_from(format!("bytes */{length}")).map_err(|error| ApiError::internal_error(&error))?;
    response.headers_mut().insert(CONTENT_RANGE, value);
    Ok(response)
}

fn build_compressed_body(reader: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(reader, MAX_CHUNK_BYTES))
}

fn build_response(status: StatusCode, headers: Vec<(HeaderName, String)>, body: Body) -> Result<Response, ApiError> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).map_err(|error| ApiError::internal_error(&error))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
