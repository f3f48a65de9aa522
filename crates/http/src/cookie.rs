//! Cookie that scripts cannot read (`HttpOnly`) and that browsers send only from the same site (`SameSite=Strict`).
//!
//! Over TLS, the name of the cookie starts with `__Host-` and ends with the port of the server.
//! The `__Host-` prefix prevents other subdomains and plain HTTP responses from setting the cookie.
//! The cookie name contains the port because browsers share cookies across all ports of a host.

use std::borrow::Cow;

use http::header::{COOKIE, HOST, InvalidHeaderValue};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};

use crate::client_addr::ClientAddr;

const DEFAULT_HTTPS_PORT: u16 = 443;

/// Cookie with a base name. Over TLS, Clew adds the prefix `__Host-` and the server port to the cookie name.
#[derive(Debug, Clone, Copy)]
pub struct HostPrefixedCookie(pub &'static str);

impl HostPrefixedCookie {
    /// Returns the value of the cookie in a request, or `None` if the cookie is absent or empty.
    #[must_use]
    pub fn find_value_in_request<'a>(self, headers: &'a HeaderMap, connection: Option<&ClientAddr>) -> Option<&'a str> {
        let expected = self.build_cookie_name(headers, connection);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(name, value)| (name == expected && !value.is_empty()).then_some(value))
    }

    /// Builds a `Set-Cookie` response header. `headers` contains the request headers.
    ///
    /// `seconds` is the lifetime of the cookie; 0 deletes the cookie.
    pub fn build_set_cookie_header(
        self,
        value: &str,
        seconds: i64,
        headers: &HeaderMap,
        connection: Option<&ClientAddr>,
    ) -> Result<HeaderValue, InvalidHeaderValue> {
        let name = self.build_cookie_name(headers, connection);
        let secure = if connection.is_some_and(|connection| connection.tls) { "; Secure" } else { "" };
        let seconds = seconds.max(0);
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        let mut cookie = HeaderValue::try_from(cookie)?;
        cookie.set_sensitive(true);
        Ok(cookie)
    }

    fn build_cookie_name(self, headers: &HeaderMap, connection: Option<&ClientAddr>) -> Cow<'static, str> {
        if !connection.is_some_and(|connection| connection.tls) {
            return Cow::Borrowed(self.0);
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let port = host.and_then(|host| host.port_u16()).unwrap_or(DEFAULT_HTTPS_PORT);
        Cow::Owned(format!("__Host-{}_{port}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION_COOKIE: HostPrefixedCookie = HostPrefixedCookie("clew_session");

    fn connection(tls: bool) -> ClientAddr {
        ClientAddr { ip: [192, 0, 2, 7].into(), tls }
    }

    fn headers(host: Option<&'static str>, cookies: &[&'static str]) -> HeaderMap {
        let cookies = cookies.iter().map(|line| (COOKIE, HeaderValue::from_static(line)));
        host.map(|host| (HOST, HeaderValue::from_static(host))).into_iter().chain(cookies).collect()
    }

    #[test]
    fn token_is_found_among_other_cookies() {
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
            assert_eq!(SESSION_COOKIE.find_value_in_request(&headers(None, &lines), None), found, "{lines:?}");
        }
    }

    #[test]
    fn tls_requires_the_cookie_of_this_host_and_port() {
        let tls = connection(true);
        for (host, lines, found) in [
            (Some("clew.example:8407"), vec!["__Host-clew_session_8407=abc"], Some("abc")),
            (Some("clew.example:8407"), vec!["__Host-clew_session_8408=abc"], None),
            // A plain connection, or another host of the domain, could have set this cookie.
            (Some("clew.example:8407"), vec!["clew_session=abc"], None),
            (Some("clew.example"), vec!["__Host-clew_session_443=abc"], Some("abc")),
            (Some("[::1]:8407"), vec!["__Host-clew_session_8407=abc"], Some("abc")),
            (None, vec!["__Host-clew_session_443=abc"], Some("abc")),
        ] {
            assert_eq!(
                SESSION_COOKIE.find_value_in_request(&headers(host, &lines), Some(&tls)),
                found,
                "{host:?} {lines:?}"
            );
        }
    }

    #[test]
    fn cookie_attributes_restrict_it_to_this_site() {
        let (plain, tls) = (connection(false), connection(true));
        let headers = headers(Some("clew.example:8407"), &[]);
        let cookie = SESSION_COOKIE.build_set_cookie_header("abc", 60, &headers, Some(&plain)).unwrap();
        assert_eq!(cookie, "clew_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60");
        let removed = SESSION_COOKIE.build_set_cookie_header("", -5, &headers, Some(&tls)).unwrap();
        assert_eq!(removed, "__Host-clew_session_8407=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
        assert!(cookie.is_sensitive() && SESSION_COOKIE.build_set_cookie_header("a\nb", 60, &headers, None).is_err());
    }
}
