//! `If-Range` and `If-None-Match` (RFC 9110, section 13).

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE};

/// Whether a `Range` counts: there is no `If-Range`, or it names exactly this content. Dates and weak tags never do.
pub(super) fn range_applies(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == tag.as_bytes())
}

/// Whether the client has this content already.
pub(super) fn not_modified(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').map(str::trim).any(|known| known == "*" || opaque(known) == opaque(tag)))
}

/// A tag without the mark of weakness: whoever only asks whether it has something already need not care.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
