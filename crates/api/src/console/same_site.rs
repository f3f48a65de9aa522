//! Whether a request that a browser signed in by itself was made by Clew's own page. `docs/decisions/0024-browsers-sign-in-with-a-cookie.md`
//! says what stands against which attack.

use clew_iam::token;
use clew_model::ErrorEntry;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use crate::refusal::Refusal;

/// What the page proves itself with.
const CSRF: &str = "x-clew-csrf";
/// Where a request comes from, by the browser's own word, which no script can change. Sent over TLS, and to the machine itself.
const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what the page did not ask for.
pub(crate) fn check(parts: &Parts, token: &str) -> Result<(), Refusal> {
    check_origin(&parts.method, &parts.headers)?;
    if is_safe(&parts.method) {
        return Ok(());
    }
    match parts.headers.get(CSRF) {
        None => Err(refused("csrf-missing")),
        Some(given) if given.as_bytes().ct_eq(token::csrf(token).as_bytes()).into() => Ok(()),
        Some(_) => Err(refused("csrf-wrong")),
    }
}

/// Refuses what another site asks for, as far as the browser says so.
pub(super) fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(site) = headers.get(FETCH_SITE) {
        // Nobody's: typed into the address bar. That changes nothing.
        let own = site == "same-origin" || (site == "none" && is_safe(method));
        return if own { Ok(()) } else { Err(refused("cross-site")) };
    }
    let (Some(origin), false) = (headers.get(ORIGIN), is_safe(method)) else { return Ok(()) };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    if authority.is_some() && authority == host { Ok(()) } else { Err(refused("cross-site")) }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn refused(why: &'static str) -> Refusal {
    Refusal::because(ErrorEntry::NOT_FROM_THE_PAGE, why, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_through(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        check_origin(method, &headers).is_ok()
    }

    #[test]
    fn what_another_site_asks_for_is_refused() {
        let (get, post) = (&Method::GET, &Method::POST);
        let host = ("host", "clew.example:8407");
        for (method, headers, through) in [
            (get, vec![], true),
            (post, vec![], true),
            (get, vec![(FETCH_SITE, "same-origin")], true),
            (post, vec![(FETCH_SITE, "same-origin")], true),
            (get, vec![(FETCH_SITE, "none")], true),
            (post, vec![(FETCH_SITE, "none")], false),
            (get, vec![(FETCH_SITE, "same-site")], false),
            (get, vec![(FETCH_SITE, "cross-site")], false),
            (post, vec![(FETCH_SITE, "cross-site")], false),
            // A proxy may ask for another host; then the browser's word counts.
            (
                post,
                vec![(FETCH_SITE, "same-origin"), ("origin", "https://clew.example"), ("host", "inside:8407")],
                true,
            ),
            (post, vec![host, ("origin", "http://clew.example:8407")], true),
            (post, vec![host, ("origin", "http://clew.example:8408")], false),
            (post, vec![host, ("origin", "http://evil.example")], false),
            (post, vec![host, ("origin", "null")], false),
            (post, vec![("origin", "http://clew.example")], false),
            (get, vec![host, ("origin", "http://evil.example")], true),
        ] {
            assert_eq!(is_let_through(method, &headers), through, "{method} {headers:?}");
        }
    }
}
