//! HTTP responses that serve files embedded in the binary.

use std::io::{self, Read};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use crate::download::conditional_requests::is_not_modified;
use crate::download::encoding::accepts_encoding;

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

/// File of a web page.
#[derive(Debug)]
pub struct EmbeddedFile {
    gzip_body: Bytes,
    content_type: &'static str,
    cache_control: &'static str,
    tag: String,
}

impl EmbeddedFile {
    /// Creates a file from the gzip-compressed `body`. `hashed` must be true if the path contains a content hash.
    #[must_use]
    pub fn new(path: &str, body: Bytes, hashed: bool) -> Self {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        let content_type = CONTENT_TYPES_BY_EXTENSION
            .iter()
            .find(|(other, _)| *other == extension)
            .map_or("application/octet-stream", |(_, content_type)| *content_type);
        // A file with a hash in its name never changes. Browsers revalidate other files by entity tag.
        let cache_control = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        // The tag is weak because the compressed and uncompressed bodies share it.
        let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(&body)));
        Self { gzip_body: body, content_type, cache_control, tag }
    }

    /// Builds the response. Returns an error if the content is not gzip-compressed.
    pub fn build_response(&self, headers: &HeaderMap) -> io::Result<Response> {
        let cache_headers = [(ETAG, self.tag.as_str()), (CACHE_CONTROL, self.cache_control), (VARY, "accept-encoding")];
        if is_not_modified(headers, &self.tag) {
            return Ok((StatusCode::NOT_MODIFIED, cache_headers).into_response());
        }
        let content_type = [(CONTENT_TYPE, self.content_type)];
        if accepts_encoding(headers, "gzip") {
            let encoding = [(CONTENT_ENCODING, "gzip")];
            return Ok((cache_headers, content_type, encoding, self.gzip_body.clone()).into_response());
        }
        // All browsers support gzip. The file is decompressed only for other clients.
        let mut uncompressed = Vec::new();
        GzDecoder::new(self.gzip_body.as_ref()).read_to_end(&mut uncompressed)?;
        Ok((cache_headers, content_type, uncompressed).into_response())
    }
}
