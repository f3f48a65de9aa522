//! The web page: a part of the program, compressed when that was built.

mod asset;

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use clew_model::ErrorEntry;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::refusal::Refusal;
use asset::Asset;

/// Names and contents as the build script left them, compressed; none where nobody had built the page.
const BUILT: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::of(BUILT));

/// The one file that every view of the page begins with.
const INDEX: &str = "index.html";
/// Names in here hold a hash of what is in the file.
const HASHED: &str = "assets/";

/// Paths under these are never a view: who asks there for what is not there is told so.
const NO_VIEWS: [&str; 9] =
    ["/v3/", "/v3.0/", "/v3.1/", "/v5/", "/clew/", "/healthz", "/readyz", "/metrics", "/openapi.json"];

const NOT_BUILT: &str = "This Clew was built without its web page. The API serves all the same: see /openapi.json.\n\
    To have the page, build it before Clew (Node.js 20 or newer):\n\n    npm --prefix web ci\n    npm --prefix web run build\n    cargo build --release\n";

/// What a browser must know of anything that the page is made of. No script but the page's own files, and no word to another host.
const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// The page, file by file.
struct Page {
    files: HashMap<&'static str, Asset>,
}

impl Page {
    fn of(files: &'static [(&str, &[u8])]) -> Self {
        let asset = |(path, body): &(&'static str, &'static [u8])| {
            (*path, Asset::new(path, Bytes::from_static(body), path.starts_with(HASHED)))
        };
        Self { files: files.iter().map(asset).collect() }
    }

    fn index(&self, headers: &HeaderMap) -> Response {
        match self.files.get(INDEX) {
            Some(index) => index.answer(headers),
            None => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT).into_response(),
        }
    }

    /// What a path that is no route stands for, if anything: a file of the page, or a view, which the page draws by itself.
    fn find(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        if !matches!(*method, Method::GET | Method::HEAD) || NO_VIEWS.iter().any(|prefix| path.starts_with(prefix)) {
            return None;
        }
        if let Some(asset) = self.files.get(path.trim_start_matches('/')) {
            return Some(asset.answer(headers));
        }
        let is_view = !path.trim_start_matches('/').starts_with(HASHED) && wants_html(headers);
        self.files.get(INDEX).filter(|_| is_view).map(|index| index.answer(headers))
    }
}

/// Whether the client names HTML, as a browser does of what is to be shown, and nothing else does.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|part| part.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/html")))
}

/// `/`
pub(crate) async fn index(headers: HeaderMap) -> Response {
    guarded(PAGE.index(&headers))
}

/// Whatever no route is for.
pub(crate) async fn or_no_such_api(request: Request) -> Response {
    let found = PAGE.find(request.method(), request.uri().path(), request.headers());
    found.map_or_else(|| Refusal::new(ErrorEntry::NO_SUCH_API).into_response(), guarded)
}

fn guarded(mut response: Response<Body>) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
