//! API endpoint.

use std::fmt;

use url::{Host, Url};

use crate::error::ClientError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// `what` is the name of the setting in error messages.
    pub(crate) fn parse(what: &str, given: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| ClientError::Setup(format!("{what} {given:?} {why}; expected https://host:port"));
        let url = Url::parse(given.trim()).map_err(|error| wrong(&format!("is not a URL ({error})")))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Omit the URL from the message, because the URL may contain a password.
            return Err(ClientError::Setup(format!("{what} must not contain a user or password")));
        }
        match url.scheme() {
            "http" | "https" => {}
            _ => return Err(wrong("is neither http nor https")),
        }
        if url.host().is_none() || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must have a host, and nothing after host and port"));
        }
        Ok(Self { url })
    }

    /// `path` and `query` must be percent-encoded.
    pub(crate) fn build_request_url(&self, path: &str, query: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        url
    }

    /// The value omits the default port of the scheme.
    pub(crate) fn host_header_value(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Requests bypass HTTP proxies if the API and IAM endpoints are both on loopback hosts.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.host_header_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &str) -> Result<Endpoint, ClientError> {
        Endpoint::parse("endpoint", given)
    }

    #[test]
    fn host_header_omits_the_default_port() {
        for (given, host, shown) in [
            ("https://gaussdb.example.com", "gaussdb.example.com", "https://gaussdb.example.com"),
            ("https://gaussdb.example.com:443/", "gaussdb.example.com", "https://gaussdb.example.com"),
            ("http://127.0.0.1:8407", "127.0.0.1:8407", "http://127.0.0.1:8407"),
            ("http://[::1]:8407", "[::1]:8407", "http://[::1]:8407"),
            ("http://Clew.example.com:443", "clew.example.com:443", "http://clew.example.com:443"),
        ] {
            let endpoint = parse(given).unwrap();
            assert_eq!(
                (endpoint.host_header_value().as_str(), endpoint.to_string().as_str()),
                (host, shown),
                "{given}"
            );
        }
    }

    #[test]
    fn invalid_endpoint_is_rejected_with_the_reason() {
        for (given, why) in [
            ("", "is not a URL"),
            ("127.0.0.1:8407", "is not a URL"),
            ("localhost:8407", "is neither http nor https"),
            ("ftp://host", "is neither http nor https"),
            ("https://host/v3", "nothing after host and port"),
            ("https://host/?a=1", "nothing after host and port"),
            ("https://host/#a", "nothing after host and port"),
        ] {
            let message = parse(given).unwrap_err().to_string();
            assert!(message.contains(why), "{given}: {message}");
        }
        let message = parse("https://user:hunter2@host").unwrap_err().to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn loopback_endpoints_are_detected() {
        for (given, loopback) in [
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://localhost:1", true),
            ("http://example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(parse(given).unwrap().is_loopback(), loopback, "{given}");
        }
    }
}
