//! Node URL: `mysql://user:password@host:port/?tls=…&ca=…`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

crate::named_enum! {
    /// TLS mode of a connection, modeled on the `--ssl-mode` option of the `mysql` client.
    /// The variants are ordered from the weakest to the strongest TLS mode.
    pub enum TlsMode {
        /// Plain connection without TLS.
        Off = "off",
        /// Use TLS without verifying the certificate if the server supports TLS; otherwise, use an unencrypted connection.
        /// Default for local servers.
        ///
        /// If the account has a password, Clew never falls back to an unencrypted connection to a remote server.
        Preferred = "preferred",
        /// Require TLS, but do not verify the certificate. Default for remote servers.
        Required = "required",
        /// Require TLS with a certificate issued by a trusted certificate authority.
        VerifyCa = "verify-ca",
        /// Require TLS with a certificate that a trusted certificate authority issued for the server's host name.
        VerifyIdentity = "verify-identity",
    }
}

/// Error returned for an invalid node URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeUrlError {
    /// The text is not a URL.
    #[error("not a URL ({0}); write mysql://user:password@host:3306/")]
    Malformed(String),
    /// The URL scheme is neither `mysql` nor `mariadb`.
    #[error("scheme {0:?} is not known; write mysql://user:password@host:3306/")]
    Scheme(String),
    /// A required part is missing.
    #[error("the URL names no {0}; write mysql://user:password@host:3306/")]
    Missing(&'static str),
    /// The URL has a path, such as a database name. A node URL's path must be empty.
    #[error("the URL names a database ({0:?}); Clew reads the whole server, leave the path empty")]
    Path(String),
    /// Unknown parameter.
    #[error("parameter {0:?} is not known; tls, ca, server-public-key and get-server-public-key are")]
    Parameter(String),
    /// Invalid value for `tls`.
    #[error("tls cannot be {0:?}; it is one of off, preferred, required, verify-ca, verify-identity")]
    Tls(String),
    /// The `get-server-public-key` parameter is neither `on` nor `off`.
    #[error("get-server-public-key cannot be {0:?}; it is on or off")]
    GetServerPublicKey(String),
    /// A percent-encoded user name, password or host is not valid UTF-8.
    #[error("the {0} has percent-escapes that are not UTF-8")]
    Encoding(&'static str),
}

/// Address, account and TLS options of a node. The `Display` output omits the password.
#[derive(Debug, Clone)]
pub struct NodeUrl {
    /// Account name.
    pub user: String,
    /// Password, or `None` if the URL contains no password.
    pub password: Option<SecretString>,
    /// Host name or IP address. IPv6 addresses have no brackets.
    pub host: String,
    /// TCP port; default 3306.
    pub port: u16,
    /// TLS mode.
    pub tls: TlsMode,
    /// PEM file with CA certificates that Clew trusts instead of the public certificate authorities.
    pub ca: Option<PathBuf>,
    /// PEM file with the server's RSA public key. Clew uses this key to encrypt the password.
    /// The URL parameter `server-public-key` corresponds to the `mysql` client's option `--server-public-key-path`.
    pub server_public_key: Option<PathBuf>,
    /// If true, Clew may send the password to a server whose identity is not verified. Default: false.
    /// Corresponds to the `mysql` client's option `--get-server-public-key`.
    pub get_server_public_key: bool,
}

const USERINFO_ENCODE_SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const FILE_PATH_ENCODE_SET: &AsciiSet = &USERINFO_ENCODE_SET.remove(b'/');

impl NodeUrl {
    /// Replaces the password.
    #[must_use]
    pub fn with_password(mut self, password: Option<SecretString>) -> Self {
        self.password = password;
        self
    }

    /// Returns the address as `host:port`, with brackets around IPv6 addresses.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns the URL, including the password. Callers must not print or log the URL.
    #[must_use]
    pub fn expose_url_with_password(&self) -> SecretString {
        let password = self.password.as_ref().map_or(String::new(), |password| {
            format!(":{}", utf8_percent_encode(password.expose_secret(), USERINFO_ENCODE_SET))
        });
        SecretString::from(self.format_url(&password))
    }

    fn format_url(&self, password: &str) -> String {
        let path = |name: &str, path: &Option<PathBuf>| {
            path.as_ref().map_or(String::new(), |path| {
                format!("&{name}={}", utf8_percent_encode(&path.to_string_lossy(), FILE_PATH_ENCODE_SET))
            })
        };
        let (ca, key) = (path("ca", &self.ca), path("server-public-key", &self.server_public_key));
        let get_key = if self.get_server_public_key { "&get-server-public-key=on" } else { "" };
        let user = utf8_percent_encode(&self.user, USERINFO_ENCODE_SET);
        format!("mysql://{user}{password}@{}/?tls={}{ca}{key}{get_key}", self.address(), self.tls.name())
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format_url(""))
    }
}

impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<Self, NodeUrlError> {
        let url = Url::parse(text).map_err(|error| NodeUrlError::Malformed(error.to_string()))?;
        if !matches!(url.scheme(), "mysql" | "mariadb") {
            return Err(NodeUrlError::Scheme(url.scheme().to_owned()));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NodeUrlError::Missing("host"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = percent_decode_component(host, "host")?;
        let user = percent_decode_component(url.username(), "user")?;
        if user.is_empty() {
            return Err(NodeUrlError::Missing("user"));
        }
        if !matches!(url.path(), "" | "/") {
            return Err(NodeUrlError::Path(url.path().trim_start_matches('/').to_owned()));
        }
        let password = url
            .password()
            .map(|password| percent_decode_component(password, "password"))
            .transpose()?
            .map(SecretString::from);
        let tls = if is_loopback_host(&host) { TlsMode::Preferred } else { TlsMode::Required };
        let port = url.port().unwrap_or(3306);
        let mut node =
            Self { user, password, host, port, tls, ca: None, server_public_key: None, get_server_public_key: false };
        for (key, value) in url.query_pairs() {
            match &*key {
                "tls" => {
                    node.tls = TlsMode::from_name(&value).ok_or_else(|| NodeUrlError::Tls(value.into_owned()))?;
                }
                "ca" => node.ca = Some(PathBuf::from(&*value)),
                "server-public-key" => node.server_public_key = Some(PathBuf::from(&*value)),
                "get-server-public-key" => node.get_server_public_key = parse_on_off_flag(&value)?,
                _ => return Err(NodeUrlError::Parameter(key.into_owned())),
            }
        }
        Ok(node)
    }
}

fn percent_decode_component(text: &str, part: &'static str) -> Result<String, NodeUrlError> {
    percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| NodeUrlError::Encoding(part))
}

fn parse_on_off_flag(value: &str) -> Result<bool, NodeUrlError> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(NodeUrlError::GetServerPublicKey(other.to_owned())),
    }
}

fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_round_trips_through_text() {
        let text = "mysql://we%40ird:p%3Aa%2Fs%20s@[::1]:3307/?tls=verify-ca&ca=/etc/ca%20file.pem";
        let node: NodeUrl = text.parse().unwrap();
        assert_eq!((node.user.as_str(), node.host.as_str(), node.port), ("we@ird", "::1", 3307));
        assert_eq!(node.password.as_ref().unwrap().expose_secret(), "p:a/s s");
        assert_eq!(node.ca.as_ref().unwrap().to_str(), Some("/etc/ca file.pem"));
        let again: NodeUrl = node.expose_url_with_password().expose_secret().parse().unwrap();
        assert_eq!(again.expose_url_with_password().expose_secret(), node.expose_url_with_password().expose_secret());
    }

    #[test]
    fn tls_is_required_by_default_except_for_local_servers() {
        for (host, tls) in [
            ("localhost", TlsMode::Preferred),
            ("127.0.0.1", TlsMode::Preferred),
            ("[::1]", TlsMode::Preferred),
            ("db.example.com", TlsMode::Required),
            ("192.0.2.7", TlsMode::Required),
        ] {
            let node: NodeUrl = format!("mysql://clew@{host}/").parse().unwrap();
            assert_eq!(node.tls, tls, "{host}");
            assert!(!node.get_server_public_key);
        }
    }

    #[test]
    fn public_key_parameters_round_trip_through_text() {
        let text = "mysql://u@h:3306/?tls=off&server-public-key=/etc/key.pem&get-server-public-key=on";
        let node: NodeUrl = text.parse().unwrap();
        assert_eq!(node.server_public_key.as_deref(), Some(std::path::Path::new("/etc/key.pem")));
        assert_eq!(node.to_string(), text);
    }

    #[test]
    fn password_is_not_displayed() {
        let node: NodeUrl = "mysql://clew:hunter2@db.example.com/".parse().unwrap();
        assert_eq!(node.to_string(), "mysql://clew@db.example.com:3306/?tls=required");
        assert!(!format!("{node:?}").contains("hunter2"));
    }

    #[test]
    fn invalid_url_is_rejected_with_the_reason() {
        for (text, reason) in [
            ("db.example.com", "not a URL"),
            ("postgres://u@h/", "scheme \"postgres\""),
            ("mysql:///", "names no host"),
            ("mysql://host/", "names no user"),
            ("mysql://u@h/shop", "names a database (\"shop\")"),
            ("mysql://u@h/?ssl=1", "parameter \"ssl\""),
            ("mysql://u@h/?tls=yes", "tls cannot be \"yes\""),
            ("mysql://u@h/?get-server-public-key=1", "get-server-public-key cannot be \"1\""),
            ("mysql://u@h:99999/", "not a URL"),
        ] {
            let error = text.parse::<NodeUrl>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
