//! CSRF protection for requests that are authenticated by the session cookie.
//!
//! `docs/decisions/0024-browser-sessions.md` lists CSRF attacks and the countermeasures.

use clew_iam::token;
use clew_model::ApiErrorDefinition;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use crate::error::ApiError;

const CSRF_HEADER: &str = "x-clew-csrf";
/// Fetch metadata header, which scripts cannot set and browsers send only over TLS or to localhost.
const SEC_FETCH_SITE_HEADER: &str = "sec-fetch-site";

pub(crate) fn check_csrf_protection(parts: &Parts, token: &str) -> Result<(), ApiError> {
    check_request_origin(&parts.method, &parts.headers)?;
    if is_safe_method(&parts.method) {
        return Ok(());
    }
    match parts.headers.get(CSRF_HEADER) {
        None => Err(csrf_error("csrf-missing")),
        Some(given) if given.as_bytes().ct_eq(token::derive_csrf_token(token).as_bytes()).into() => Ok(()),
        Some(_) => Err(csrf_error("csrf-wrong")),
    }
}

pub(super) fn check_request_origin(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if let Some(site) = headers.get(SEC_FETCH_SITE_HEADER) {
        // `none` means that the user entered the URL, which results in a GET request.
        let is_same_origin = site == "same-origin" || (site == "none" && is_safe_method(method));
        return if is_same_origin { Ok(()) } else { Err(csrf_error("cross-site")) };
    }
    let (Some(origin), false) = (headers.get(ORIGIN), is_safe_method(method)) else { return Ok(()) };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    if authority.is_some() && authority == host { Ok(()) } else { Err(csrf_error("cross-site")) }
}

fn is_safe_method(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn csrf_error(reason: &'static str) -> ApiError {
    ApiError::with_detail(ApiErrorDefinition::NOT_FROM_THE_PAGE, reason, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        check_request_origin(method, &headers).is_ok()
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
