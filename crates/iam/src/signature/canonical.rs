//! The canonical form of a request: what two parties that never saw each other's bytes both sign (spec section 8.1).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::RequestToSign;

/// Everything but letters, digits and `-._~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Method, path, query, headers, their names, hash of the body: one a line; an empty line ends the headers.
pub(super) fn request(request: &RequestToSign<'_>, signed_headers: &[String]) -> String {
    let mut lines = vec![request.method.to_ascii_uppercase(), path(request.path), query(request.query)];
    lines.extend(signed_headers.iter().map(|name| format!("{name}:{}", request.value(name).unwrap_or_default())));
    lines.extend([String::new(), signed_headers.join(";"), request.hash_to_sign().to_owned()]);
    lines.join("\n")
}

/// Decoded, encoded again segment by segment, and ended with `/`: however a path was encoded, its form here is one.
fn path(raw: &str) -> String {
    let decoded: Cow<'_, [u8]> = percent_decode_str(raw).into();
    let segments: Vec<String> = decoded.split(|&byte| byte == b'/').map(encode).collect();
    let mut path = segments.join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

/// Pairs, decoded, sorted by key and then value, encoded again. `+` is read as a space, as those who parse queries do.
fn query(raw: &str) -> String {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode_form(key), decode_form(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

fn decode_form(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form_however_it_was_encoded() {
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
    fn a_query_is_sorted_and_encoded_once() {
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
