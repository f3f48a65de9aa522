//! Serves the web page's files, which are gzip-compressed and embedded in the binary.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use clew_http::{EmbeddedFile, add_page_security_headers};
use clew_model::ApiErrorDefinition;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method};

use crate::error::ApiError;

/// Paths and gzip-compressed contents; empty if the web page was not built.
const EMBEDDED_FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

static WEB_PAGE: LazyLock<WebPage> = LazyLock::new(|| WebPage::from_files(EMBEDDED_FILES));

const INDEX_HTML_PATH: &str = "index.html";
const HASHED_ASSET_PATH_PREFIX: &str = "assets/";

/// Requests to unknown API paths return an error instead of the web page.
const API_PATH_PREFIXES: [&str; 9] =
    ["/v3/", "/v3.0/", "/v3.1/", "/v5/", "/clew/", "/healthz", "/readyz", "/metrics", "/openapi.json"];

const PAGE_NOT_BUILT_MESSAGE: &str = "This Clew was built without the web page. The HTTP API is available; /openapi.json describes it.\n\
    To include the web page, build the page before Clew (Node.js 20.19 or newer):\n\n    npm --prefix web ci\n    npm --prefix web run build\n    cargo build --release\n";

struct WebPage {
    files: HashMap<&'static str, EmbeddedFile>,
}

impl WebPage {
    fn from_files(files: &'static [(&str, &[u8])]) -> Self {
        let asset = |(path, body): &(&'static str, &'static [u8])| {
            (*path, EmbeddedFile::new(path, Bytes::from_static(body), path.starts_with(HASHED_ASSET_PATH_PREFIX)))
        };
        Self { files: files.iter().map(asset).collect() }
    }

    fn index_page_response(&self, headers: &HeaderMap) -> Response {
        match self.files.get(INDEX_HTML_PATH) {
            Some(index) => respond_with_file(index, headers),
            None => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], PAGE_NOT_BUILT_MESSAGE).into_response(),
        }
    }

    /// Returns `index.html` for the path of a client-side view.
    fn response_for_path(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        if !matches!(*method, Method::GET | Method::HEAD)
            || API_PATH_PREFIXES.iter().any(|prefix| path.starts_with(prefix))
        {
            return None;
        }
        if let Some(asset) = self.files.get(path.trim_start_matches('/')) {
            return Some(respond_with_file(asset, headers));
        }
        let is_view = !path.trim_start_matches('/').starts_with(HASHED_ASSET_PATH_PREFIX) && accepts_html(headers);
        self.files.get(INDEX_HTML_PATH).filter(|_| is_view).map(|index| respond_with_file(index, headers))
    }
}

fn respond_with_file(file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    file.build_response(headers).unwrap_or_else(|error| ApiError::internal_error(&error).into_response())
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|part| part.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/html")))
}

pub(crate) async fn serve_index_page(headers: HeaderMap) -> Response {
    with_page_security_headers(WEB_PAGE.index_page_response(&headers))
}

pub(crate) async fn serve_web_page(request: Request) -> Response {
    let found = WEB_PAGE.response_for_path(request.method(), request.uri().path(), request.headers());
    found.map_or_else(|| ApiError::new(ApiErrorDefinition::NO_SUCH_API).into_response(), with_page_security_headers)
}

fn with_page_security_headers(mut response: Response) -> Response {
    add_page_security_headers(response.headers_mut());
    response
}

#[cfg(test)]
mod tests;
