//! Adds response headers that disable content sniffing, prevent the caching of JSON and optionally enable HSTS.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

/// Value of the `Strict-Transport-Security` header: one year, without subdomains.
const HSTS_HEADER_VALUE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// `hsts` must be false for responses sent without TLS.
pub(crate) fn add_security_headers(headers: &mut HeaderMap, hsts: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_str().unwrap_or_default();
        ["application/json", "application/x-ndjson"].iter().any(|json| kind.starts_with(json))
    });
    if is_json && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS_HEADER_VALUE);
    }
}
