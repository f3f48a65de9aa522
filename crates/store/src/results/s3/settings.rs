//! Settings for storing results on S3: location and credentials.

use object_store::path::Path;
use secrecy::SecretString;

use crate::results::s3::{CONNECT_TIMEOUT, READ_TIMEOUT};

/// Bucket, key prefix, endpoint, region and access key for results on S3.
#[derive(Debug, Clone)]
pub struct S3Settings {
    pub(super) bucket: String,
    /// Prefix of object keys, without leading or trailing slashes. The prefix can be empty.
    pub(super) prefix: Path,
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: SecretString,
}

impl S3Settings {
    /// Validates the settings. `location` has the form `s3://bucket/prefix`.
    /// The default endpoint is the Amazon S3 endpoint of the region.
    /// Returns an error message that describes the first invalid setting.
    pub fn new(
        location: &str,
        endpoint: Option<String>,
        region: String,
        access_key_id: String,
        secret_access_key: SecretString,
    ) -> Result<Self, String> {
        let wrong = |why: &str| format!("{location:?} {why}; use the form s3://bucket/prefix");
        let rest = location.strip_prefix("s3://").ok_or_else(|| wrong("does not begin with s3://"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(wrong("has no valid bucket name"));
        }
        let in_prefix = |c: char| plain(c) || c == '/';
        if !prefix.chars().all(in_prefix) {
            return Err(wrong("has a prefix with characters other than letters, digits, . - _ and /"));
        }
        if prefix.starts_with('/') {
            return Err(wrong("has an empty part in its prefix"));
        }
        let prefix = Path::parse(prefix).map_err(|_| wrong("has an empty part in its prefix"))?;
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let is_address = endpoint.starts_with("http://") || endpoint.starts_with("https://");
        if !is_address || reqwest::Url::parse(&endpoint).is_err() {
            return Err(format!("the endpoint {endpoint:?} is not a URL such as https://s3.example.com"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix, endpoint, region, access_key_id, secret_access_key })
    }

    pub(super) fn object_key(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    /// If `name` is empty, returns the URI of the configured prefix.
    pub(super) fn object_uri(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, if name.is_empty() { self.prefix.clone() } else { self.object_key(name) })
    }

    pub(super) fn build_http_client(&self) -> reqwest::Result<reqwest::Client> {
        // Another module may have already installed the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // A signature is valid only for one host, so redirects cannot succeed.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if self.is_loopback_endpoint() {
            client = client.no_proxy();
        }
        client.build()
    }

    fn is_loopback_endpoint(&self) -> bool {
        let url = reqwest::Url::parse(&self.endpoint).ok();
        url.as_ref().and_then(reqwest::Url::host_str).is_some_and(|host| {
            host == "localhost"
                || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(location: &str, endpoint: Option<&str>) -> Result<S3Settings, String> {
        let secret = SecretString::from("secret");
        S3Settings::new(location, endpoint.map(str::to_owned), "north-1".into(), "AK".into(), secret)
    }

    #[test]
    fn location_has_bucket_and_prefix() {
        for (location, uri) in
            [("s3://b", "s3://b/a.csv"), ("s3://b/", "s3://b/a.csv"), ("s3://b/x/y/", "s3://b/x/y/a.csv")]
        {
            assert_eq!(settings(location, None).unwrap().object_uri("a.csv"), uri);
        }
        for wrong in ["b/x", "s3://", "s3:///x", "s3://b//x", "s3://b/x y", "s3://k:s@b/x", "http://b/x"] {
            assert!(settings(wrong, None).unwrap_err().contains("s3://bucket/prefix"), "{wrong}");
        }
    }

    #[test]
    fn endpoint_defaults_to_amazon_and_must_be_a_url() {
        assert_eq!(settings("s3://b", None).unwrap().endpoint, "https://s3.north-1.amazonaws.com");
        assert_eq!(settings("s3://b", Some("http://[::1]:1/")).unwrap().endpoint, "http://[::1]:1");
        assert!(settings("s3://b", Some("http://[::1]:1/")).unwrap().is_loopback_endpoint());
        assert!(!settings("s3://b", None).unwrap().is_loopback_endpoint());
        assert!(settings("s3://b", Some("s3.example.com")).unwrap_err().contains("not a URL"));
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert!(!format!("{:?}", settings("s3://b", None).unwrap()).contains("\"secret\""));
    }
}
