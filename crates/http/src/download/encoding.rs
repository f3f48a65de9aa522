//! Content negotiation with `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentEncoding {
    Identity,
    Gzip,
    Zstd,
}

impl ContentEncoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

pub(super) fn choose_encoding(headers: &HeaderMap) -> ContentEncoding {
    let accepted = |encoding: &ContentEncoding| accepts_encoding(headers, encoding.name());
    [ContentEncoding::Zstd, ContentEncoding::Gzip].into_iter().find(accepted).unwrap_or(ContentEncoding::Identity)
}

pub(crate) fn accepts_encoding(headers: &HeaderMap, encoding: &str) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            name.trim().eq_ignore_ascii_case(encoding) && !is_zero_quality_value(weight)
        })
    })
}

/// `q=0` means that the client does not accept the encoding.
fn is_zero_quality_value(weight: &str) -> bool {
    let value = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="));
    value.and_then(|value| value.trim().parse::<f32>().ok()).is_some_and(|value| value <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encodings_named_by_the_client_are_used() {
        for (header, expected) in [
            ("gzip, deflate", ContentEncoding::Gzip),
            ("gzip, zstd", ContentEncoding::Zstd),
            ("zstd;q=0, gzip;q=0.5", ContentEncoding::Gzip),
            ("GZIP", ContentEncoding::Gzip),
            ("identity", ContentEncoding::Identity),
            ("*", ContentEncoding::Identity),
            ("gzip;q=0", ContentEncoding::Identity),
            ("x-gzip", ContentEncoding::Identity),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, header.parse().unwrap())]);
            assert_eq!(choose_encoding(&headers), expected, "{header}");
        }
        assert_eq!(choose_encoding(&HeaderMap::new()), ContentEncoding::Identity);
    }
}
