//! Detects cross-origin requests from browsers.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method};

/// Scripts cannot set this header, and browsers send it only over TLS or to localhost.
const SEC_FETCH_SITE_HEADER: &str = "sec-fetch-site";

/// Returns `false` if the request headers show that a browser sent the request from a page of another origin.
#[must_use]
pub fn is_same_origin_request(method: &Method, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE_HEADER) {
        // `none` means that the user entered the URL, which results in a GET request.
        return site == "same-origin" || (site == "none" && method.is_safe());
    }
    let (Some(origin), false) = (headers.get(ORIGIN), method.is_safe()) else { return true };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        is_same_origin_request(method, &headers)
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let (get, post) = (&Method::GET, &Method::POST);
        let host = ("host", "clew.example:8407");
        for (method, headers, through) in [
            (get, vec![], true),
            (post, vec![], true),
            (get, vec![(SEC_FETCH_SITE_HEADER, "same-origin")], true),
            (post, vec![(SEC_FETCH_SITE_HEADER, "same-origin")], true),
            (get, vec![(SEC_FETCH_SITE_HEADER, "none")], true),
            (post, vec![(SEC_FETCH_SITE_HEADER, "none")], false),
            (get, vec![(SEC_FETCH_SITE_HEADER, "same-site")], false),
            (get, vec![(SEC_FETCH_SITE_HEADER, "cross-site")], false),
            (post, vec![(SEC_FETCH_SITE_HEADER, "cross-site")], false),
            // A proxy may rewrite the host, so fetch metadata takes precedence.
            (
                post,
                vec![
                    (SEC_FETCH_SITE_HEADER, "same-origin"),
                    ("origin", "https://clew.example"),
                    ("host", "inside:8407"),
                ],
                true,
            ),
            (post, vec![host, ("origin", "http://clew.example:8407")], true),
            (post, vec![host, ("origin", "http://clew.example:8408")], false),
            (post, vec![host, ("origin", "http://evil.example")], false),
            (post, vec![host, ("origin", "null")], false),
            (post, vec![("origin", "http://clew.example")], false),
            (get, vec![host, ("origin", "http://evil.example")], true),
        ] {
            assert_eq!(is_accepted(method, &headers), through, "{method} {headers:?}");
        }
    }
}
