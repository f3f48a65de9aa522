//! Validates the `Host` header to prevent DNS rebinding attacks and forged hosts in generated links.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// Allowed host names, each for one port or for all ports. If the list is empty, all hosts are allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<(String, Option<u16>)>);

impl AllowedHosts {
    /// Parses host names and addresses, such as `clew.example.com`, `clew.example.com:8407` and `[::1]`.
    /// If any host is invalid, returns the first invalid host as the error.
    pub fn parse(hosts: &[String]) -> Result<Self, String> {
        let host = |text: &String| {
            let authority: Authority = text.parse().map_err(|_| text.clone())?;
            let rest = text.strip_prefix(authority.host()).unwrap_or("@");
            if authority.host().is_empty() || (!rest.is_empty() && authority.port_u16().is_none()) {
                return Err(text.clone());
            }
            Ok((normalize_host(authority.host()), authority.port_u16()))
        };
        hosts.iter().map(host).collect::<Result<_, _>>().map(Self)
    }

    /// If the requested host is not allowed, returns the host and port from the request as the error.
    ///
    /// The host in an absolute request URI takes precedence over the `Host` header (RFC 9112, section 3.2.2).
    pub fn check_host_allowed<'a>(&self, uri: &'a Uri, headers: &'a HeaderMap) -> Result<(), &'a str> {
        if self.0.is_empty() {
            return Ok(());
        }
        // A request with two `Host` headers is ambiguous because a proxy may use either one, so it is rejected.
        let header = || headers.get(HOST).filter(|_| headers.get_all(HOST).iter().count() == 1)?.to_str().ok();
        let requested = uri.authority().map(Authority::as_str).or_else(header);
        let parsed = requested.and_then(|host| host.parse::<Authority>().ok());
        let is_allowed = parsed.is_some_and(|host| {
            let name = normalize_host(host.host());
            self.0.iter().any(|(allowed, port)| *allowed == name && (port.is_none() || *port == host.port_u16()))
        });
        if is_allowed { Ok(()) } else { Err(requested.unwrap_or_default()) }
    }
}

fn normalize_host(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_allowed(allowed: &[&str], uri: &str, host: Option<&str>) -> bool {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let headers = host.map(|host| (HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap())).into_iter().collect();
        AllowedHosts::parse(&allowed).unwrap().check_host_allowed(&uri.parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn unlisted_hosts_are_rejected() {
        let listed = ["clew.example.com", "other.example.com:8407", "127.0.0.1", "[::1]:8407"];
        for (host, passes) in [
            ("clew.example.com", true),
            ("CLEW.example.com.:9", true),
            ("other.example.com:8407", true),
            ("other.example.com", false),
            ("other.example.com:8408", false),
            ("127.0.0.1:1", true),
            ("[::1]:8407", true),
            ("[::1]", false),
            ("evil.example.com", false),
            ("clew.example.com.evil.example", false),
            ("user@evil.example.com", false),
            ("", false),
            ("clew.example.com, evil.example", false),
        ] {
            assert_eq!(is_allowed(&listed, "/healthz", Some(host)), passes, "{host}");
            assert!(is_allowed(&[], "/healthz", Some(host)), "any host by default: {host}");
        }
        assert!(!is_allowed(&listed, "/", None));
        assert!(!is_allowed(&listed, "http://evil.example.com/", Some("clew.example.com")));
        assert!(is_allowed(&listed, "http://clew.example.com/", Some("evil.example.com")));
        let mut two = HeaderMap::new();
        for host in ["clew.example.com", "evil.example.com"] {
            two.append(HOST, HeaderValue::from_static(host));
        }
        let allowed = AllowedHosts::parse(&["clew.example.com".to_owned()]).unwrap();
        assert!(allowed.check_host_allowed(&"/".parse().unwrap(), &two).is_err());
    }

    #[test]
    fn invalid_host_is_returned_as_the_error() {
        for text in ["", "http://clew.example.com", "a b", "clew.example.com:99999", "user@clew.example.com", ":8407"] {
            assert_eq!(AllowedHosts::parse(&["ok.example".into(), text.into()]).unwrap_err(), text);
        }
    }
}
