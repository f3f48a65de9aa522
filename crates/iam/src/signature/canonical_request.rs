//! Builds the canonical request, from which client and server compute the signature (API spec, section 8.1).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::RequestToSign;

const PERCENT_ENCODED_CHARS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Large enough for a typical request without query parameters.
const INITIAL_CAPACITY_BYTES: usize = 640;

type DecodedBytes<'a> = Cow<'a, [u8]>;

/// The canonical request has one item per line: method, path, query, headers, header names and body hash.
pub(super) fn build_canonical_request<T: AsRef<str>>(
    request: &RequestToSign<'_, T>,
    signed_headers: &[String],
    body_hash: &str,
) -> String {
    let mut text = String::with_capacity(INITIAL_CAPACITY_BYTES);
    text.push_str(request.method);
    text.make_ascii_uppercase();
    text.push('\n');
    append_canonical_path(&mut text, request.path);
    text.push('\n');
    append_canonical_query(&mut text, request.query);
    for name in signed_headers {
        text.extend(["\n", name, ":", request.header_value(name).unwrap_or_default()]);
    }
    text.push_str("\n\n");
    for (at, name) in signed_headers.iter().enumerate() {
        text.extend([if at > 0 { ";" } else { "" }, name]);
    }
    text.extend(["\n", body_hash]);
    text
}

fn append_canonical_path(text: &mut String, raw: &str) {
    if raw.bytes().all(|byte| byte == b'/' || is_unreserved(byte)) {
        // Most paths are canonical already, except for the `/` at the end.
        text.push_str(raw);
        if !raw.ends_with('/') {
            text.push('/');
        }
        return;
    }
    let decoded = percent_decode_to_bytes(raw);
    for (at, segment) in decoded.split(|&byte| byte == b'/').enumerate() {
        if at > 0 {
            text.push('/');
        }
        text.extend(percent_encode(segment, PERCENT_ENCODED_CHARS));
    }
    if decoded.last() != Some(&b'/') {
        text.push('/');
    }
}

fn append_canonical_query(text: &mut String, raw: &str) {
    let mut pairs: Vec<(DecodedBytes<'_>, DecodedBytes<'_>)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode_query_component(key), decode_query_component(value)))
        .collect();
    pairs.sort();
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        text.extend(percent_encode(key, PERCENT_ENCODED_CHARS));
        text.push('=');
        text.extend(percent_encode(value, PERCENT_ENCODED_CHARS));
    }
}

const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
}

fn decode_query_component(text: &str) -> DecodedBytes<'_> {
    if text.contains('+') {
        return percent_decode_str(&text.replace('+', " ")).collect();
    }
    percent_decode_to_bytes(text)
}

fn percent_decode_to_bytes(text: &str) -> DecodedBytes<'_> {
    // `percent_decode_str` scans every byte, even if nothing is encoded.
    if text.contains('%') { percent_decode_str(text).into() } else { text.as_bytes().into() }
}

pub(super) fn percent_encode_bytes(bytes: &[u8]) -> String {
    percent_encode(bytes, PERCENT_ENCODED_CHARS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> String {
        let mut text = String::new();
        append_canonical_path(&mut text, raw);
        text
    }

    fn query(raw: &str) -> String {
        let mut text = String::new();
        append_canonical_query(&mut text, raw);
        text
    }

    #[test]
    fn path_has_one_canonical_form() {
        for (raw, canonical) in [
            ("/v3/projects", "/v3/projects/"),
            ("/v3/projects/", "/v3/projects/"),
            ("/", "/"),
            ("", "/"),
            ("/a%20b", "/a%20b/"),
            ("/a b", "/a%20b/"),
            ("/%7Euser/~x", "/~user/~x/"),
            ("/a%2Fb", "/a/b/"),
            ("/会话", "/%E4%BC%9A%E8%AF%9D/"),
            ("/%E4%BC%9A%e8%af%9d", "/%E4%BC%9A%E8%AF%9D/"),
            ("/100%", "/100%25/"),
            ("/%zz", "/%25zz/"),
            ("/%2541", "/%2541/"),
            ("/a+b:c", "/a%2Bb%3Ac/"),
            ("//a//", "//a//"),
            ("/%FF", "/%FF/"),
        ] {
            assert_eq!(path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn query_is_sorted_and_encoded_once() {
        for (raw, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a=10", "a=1&a=10&a=2"),
            ("a", "a="),
            ("a=&a", "a=&a="),
            ("&&a=1&", "a=1"),
            ("name=*x%2Ay", "name=%2Ax%2Ay"),
            ("tags=k=v,l=w", "tags=k%3Dv%2Cl%3Dw"),
            ("a=b+c", "a=b%20c"),
            ("a=b%2Bc", "a=b%2Bc"),
            ("z=1&é=2", "z=1&%C3%A9=2"),
            ("a=%zz", "a=%25zz"),
            ("aa=1&a=2", "a=2&aa=1"),
        ] {
            assert_eq!(query(raw), canonical, "{raw}");
        }
    }
}
