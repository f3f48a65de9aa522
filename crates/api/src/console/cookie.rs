//! The cookie of a browser that has signed in: its token, which no script can read and no other site's requests carry.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::refusal::Refusal;

const NAME: &str = "clew_session";

/// Whether a request is signed in by the cookie, as those of the web page are: a token in a header, or a signature, counts before it.
pub(crate) fn signs_in(headers: &HeaderMap) -> bool {
    !headers.contains_key("x-auth-token") && !headers.contains_key(AUTHORIZATION) && token(headers).is_some()
}

/// The token of a request's cookie.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == NAME && !value.is_empty()).then_some(value))
}

/// Sets the cookie for so many seconds; for none, it is taken away. Where the browser speaks TLS, it never shows it without.
pub(super) fn set(token: &str, seconds: i64, tls: bool) -> Result<HeaderValue, Refusal> {
    let secure = if tls { "; Secure" } else { "" };
    let seconds = seconds.max(0);
    let cookie = format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut cookie = HeaderValue::try_from(cookie).map_err(|error| Refusal::internal(&error))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_the_cookies_of_others() {
        for (lines, found) in [
            (vec!["clew_session=abc"], Some("abc")),
            (vec!["theme=dark; clew_session=abc; x=y=z"], Some("abc")),
            (vec!["theme=dark", "a=b;clew_session=abc"], Some("abc")),
            (vec!["clew_session=", "clew_session=abc"], Some("abc")),
            (vec!["clew_session2=abc; xclew_session=def"], None),
            (vec!["clew_session"], None),
            (vec![], None),
        ] {
            let headers = lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect();
            assert_eq!(token(&headers), found, "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_is_for_this_site_alone_and_over_tls_never_without() {
        let cookie = set("abc", 60, false).unwrap();
        assert_eq!(cookie, "clew_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
        assert_eq!(set("", -5, true).unwrap(), "clew_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
        assert!(cookie.is_sensitive() && set("a\nb", 60, false).is_err());
    }
}
