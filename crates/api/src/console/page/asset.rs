//! Builds the response for a file of the web page.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::download::accepts_encoding;
use crate::error::ApiError;

const CONTENT_TYPES_BY_EXTENSION: [(&str, &str); 10] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
    ("woff2", "font/woff2"),
    ("json", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
];

pub(super) struct Asset {
    /// Gzip-compressed file content.
    body: Bytes,
    content_type: &'static str,
    cache_control: &'static str,
    tag: HeaderValue,
}

impl Asset {
    /// `body` is gzip-compressed. `hashed` must be true if the path contains a content hash.
    pub(super) fn new(path: &str, body: Bytes, hashed: bool) -> Self {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        let content_type = CONTENT_TYPES_BY_EXTENSION
            .iter()
            .find(|(other, _)| *other == extension)
            .map_or("application/octet-stream", |(_, content_type)| *content_type);
        // A file with a hash in its name never changes. Browsers revalidate other files by entity tag.
        let cache_control = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        // The tag is weak because the compressed and uncompressed bodies share it.
        let tag = HeaderValue::from_str(&format!("W/\"{}\"", hex::encode(Sha256::digest(&body))));
        Self { body, content_type, cache_control, tag: tag.unwrap_or(HeaderValue::from_static("W/\"0\"")) }
    }

    pub(super) fn respond(&self, headers: &HeaderMap) -> Response {
        let cache_headers: [(HeaderName, HeaderValue); 3] = [
            (ETAG, self.tag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static(self.cache_control)),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if headers.get(IF_NONE_MATCH).is_some_and(|tag| *tag == self.tag) {
            return (StatusCode::NOT_MODIFIED, cache_headers).into_response();
        }
        let content_type = [(CONTENT_TYPE, self.content_type)];
        if accepts_encoding(headers, "gzip") {
            return (cache_headers, content_type, [(CONTENT_ENCODING, "gzip")], Body::from(self.body.clone()))
                .into_response();
        }
        // All browsers support gzip. The file is decompressed only for other clients.
        let mut uncompressed = Vec::new();
        match GzDecoder::new(self.body.as_ref()).read_to_end(&mut uncompressed) {
            Ok(_) => (cache_headers, content_type, uncompressed).into_response(),
            Err(error) => ApiError::internal_error(&error).into_response(),
        }
    }
}
