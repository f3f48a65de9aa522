//! Conditional requests with `If-Range` and `If-None-Match` (RFC 9110, section 13).

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE};

/// A date or a weak entity tag in `If-Range` never matches, so the server sends the full content.
pub(super) fn satisfies_if_range_header(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == tag.as_bytes())
}

pub(crate) fn is_not_modified(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value
            .split(',')
            .map(str::trim)
            .any(|listed| listed == "*" || strip_weak_etag_prefix(listed) == strip_weak_etag_prefix(tag))
    })
}

/// `If-None-Match` uses the weak comparison of entity tags (RFC 9110, section 13.1.2).
fn strip_weak_etag_prefix(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
