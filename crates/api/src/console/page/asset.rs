//! A file of the page, as it is sent.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::download::accepts_encoding;
use crate::refusal::Refusal;

/// Kinds of files that a page is made of, by the end of their names.
const KINDS: [(&str, &str); 10] = [
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
    /// As gzip.
    body: Bytes,
    kind: &'static str,
    caching: &'static str,
    tag: HeaderValue,
}

impl Asset {
    /// A file of this name. `body` is compressed.
    pub(super) fn new(path: &str, body: Bytes, hashed: bool) -> Self {
        let end = path.rsplit_once('.').map_or("", |(_, end)| end);
        let kind = KINDS.iter().find(|(known, _)| *known == end).map_or("application/octet-stream", |(_, kind)| *kind);
        // What has a hash in its name never changes; all else is asked for again, and mostly is as it was.
        let caching = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        // Weak: the same for the compressed body and for the whole one.
        let tag = HeaderValue::from_str(&format!("W/\"{}\"", hex::encode(Sha256::digest(&body))));
        Self { body, kind, caching, tag: tag.unwrap_or(HeaderValue::from_static("W/\"0\"")) }
    }

    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let kept: [(HeaderName, HeaderValue); 3] = [
            (ETAG, self.tag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static(self.caching)),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if headers.get(IF_NONE_MATCH).is_some_and(|tag| *tag == self.tag) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let kind = [(CONTENT_TYPE, self.kind)];
        if accepts_encoding(headers, "gzip") {
            return (kept, kind, [(CONTENT_ENCODING, "gzip")], Body::from(self.body.clone())).into_response();
        }
        // No browser comes here.
        let mut whole = Vec::new();
        match GzDecoder::new(self.body.as_ref()).read_to_end(&mut whole) {
            Ok(_) => (kept, kind, whole).into_response(),
            Err(error) => Refusal::internal(&error).into_response(),
        }
    }
}
