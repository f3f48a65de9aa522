//! The cookie of a browser that has signed in: its token, which no script can read and no other site's requests carry.
//!
//! Over TLS its name begins with `__Host-`, so that neither another host of the domain nor a plain connection can set it, and ends with the
//! port: cookies do not tell ports apart, and two servers on one host must not take each other's.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};

use crate::connection::Connection;
use crate::refusal::Refusal;

const NAME: &str = "clew_session";
/// Port of HTTPS where a browser names none.
const HTTPS_PORT: u16 = 443;

/// The name of the cookie for clients that reach the server as this request did.
fn name(headers: &HeaderMap, connection: Option<&Connection>) -> Cow<'static, str> {
    if !connection.is_some_and(|connection| connection.tls) {
        return Cow::Borrowed(NAME);
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let port = host.and_then(|host| host.port_u16()).unwrap_or(HTTPS_PORT);
    Cow::Owned(format!("__Host-{NAME}_{port}"))
}

/// Whether a request is signed in by the cookie, as those of the web page are: a token in a header, or a signature, counts before it.
pub(crate) fn signs_in(headers: &HeaderMap, connection: Option<&Connection>) -> bool {
    !headers.contains_key("x-auth-token")
        && !headers.contains_key(AUTHORIZATION)
        && token(headers, connection).is_some()
}

/// The token of a request's cookie.
pub(crate) fn token<'a>(headers: &'a HeaderMap, connection: Option<&Connection>) -> Option<&'a str> {
    let wanted = name(headers, connection);
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

/// Sets the cookie for so many seconds, in the response to a request with these headers; for none, it is removed.
pub(super) fn set(
    token: &str,
    seconds: i64,
    headers: &HeaderMap,
    connection: Option<&Connection>,
) -> Result<HeaderValue, Refusal> {
    let name = name(headers, connection);
    let secure = if connection.is_some_and(|connection| connection.tls) { "; Secure" } else { "" };
    let seconds = seconds.max(0);
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut cookie = HeaderValue::try_from(cookie).map_err(|error| Refusal::internal(&error))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(tls: bool) -> Connection {
        Connection { peer: [192, 0, 2, 7].into(), tls }
    }

    fn headers(host: Option<&'static str>, cookies: &[&'static str]) -> HeaderMap {
        let cookies = cookies.iter().map(|line| (COOKIE, HeaderValue::from_static(line)));
        host.map(|host| (HOST, HeaderValue::from_static(host))).into_iter().chain(cookies).collect()
    }

    #[test]
    fn the_token_is_found_among_the_cookies_of_others() {
        for (lines, found) in [
            (vec!["clew_session=abc"], Some("abc")),
            (vec!["theme=dark; clew_session=abc; x=y=z"], Some("abc")),
            (vec!["theme=dark", "a=b;clew_session=abc"], Some("abc")),
            (vec!["clew_session=", "clew_session=abc"], Some("abc")),
            (vec!["clew_session2=abc; xclew_session=def"], None),
            (vec!["__Host-clew_session_443=abc"], None),
            (vec!["clew_session"], None),
            (vec![], None),
        ] {
            assert_eq!(token(&headers(None, &lines), None), found, "{lines:?}");
        }
    }

    #[test]
    fn over_tls_only_the_cookie_of_this_host_and_port_counts() {
        let tls = reached(true);
        for (host, lines, found) in [
            (Some("clew.example:8407"), vec!["__Host-clew_session_8407=abc"], Some("abc")),
            (Some("clew.example:8407"), vec!["__Host-clew_session_8408=abc"], None),
            // A plain connection, or another host of the domain, could have set it.
            (Some("clew.example:8407"), vec!["clew_session=abc"], None),
            (Some("clew.example"), vec!["__Host-clew_session_443=abc"], Some("abc")),
            (Some("[::1]:8407"), vec!["__Host-clew_session_8407=abc"], Some("abc")),
            (None, vec!["__Host-clew_session_443=abc"], Some("abc")),
        ] {
            assert_eq!(token(&headers(host, &lines), Some(&tls)), found, "{host:?} {lines:?}");
        }
    }

    #[test]
    fn a_cookie_is_for_this_site_alone_and_over_tls_for_this_host_and_port() {
        let (plain, tls) = (reached(false), reached(true));
        let headers = headers(Some("clew.example:8407"), &[]);
        let cookie = set("abc", 60, &headers, Some(&plain)).unwrap();
        assert_eq!(cookie, "clew_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
        let removed = set("", -5, &headers, Some(&tls)).unwrap();
        assert_eq!(removed, "__Host-clew_session_8407=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
        assert!(cookie.is_sensitive() && set("a\nb", 60, &headers, None).is_err());
    }
}
