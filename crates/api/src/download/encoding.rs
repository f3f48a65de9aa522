//! `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The best encoding that the client names; zstd before gzip. One that it does not name is never used.
pub(super) fn choose(headers: &HeaderMap) -> Encoding {
    let accepted = |encoding: &Encoding| accepts(headers, encoding.name());
    [Encoding::Zstd, Encoding::Gzip].into_iter().find(accepted).unwrap_or(Encoding::Identity)
}

/// Whether the client names this encoding.
pub(crate) fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            name.trim().eq_ignore_ascii_case(encoding) && !is_zero(weight)
        })
    })
}

/// `q=0` means "not this one".
fn is_zero(weight: &str) -> bool {
    let value = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="));
    value.and_then(|value| value.trim().parse::<f32>().ok()).is_some_and(|value| value <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_client_names_is_used() {
        for (header, expected) in [
            ("gzip, deflate", Encoding::Gzip),
            ("gzip, zstd", Encoding::Zstd),
            ("zstd;q=0, gzip;q=0.5", Encoding::Gzip),
            ("GZIP", Encoding::Gzip),
            ("identity", Encoding::Identity),
            ("*", Encoding::Identity),
            ("gzip;q=0", Encoding::Identity),
            ("x-gzip", Encoding::Identity),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, header.parse().unwrap())]);
            assert_eq!(choose(&headers), expected, "{header}");
        }
        assert_eq!(choose(&HeaderMap::new()), Encoding::Identity);
    }
}
