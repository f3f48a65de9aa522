//! Client configuration: endpoints, credentials, timeouts and retries.

use std::sync::Arc;
use std::time::Duration;

use clew_model::Language;
use reqwest::header::HeaderValue;
use tokio::sync::{Mutex, OnceCell};

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::project::ProjectRef;
use crate::{Client, ClientInner};

/// Configuration of a [`Client`]. [`ClientConfig::new`] sets the optional fields to default values.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// URL of the server, such as `https://host` or `http://host:port`.
    pub endpoint: String,
    /// IAM endpoint for token requests and project lookups. The default is the API endpoint.
    pub iam_endpoint: Option<String>,
    /// Credentials.
    pub credentials: Credentials,
    /// Project of all requests.
    pub project_ref: ProjectRef,
    /// Language of error messages and of the CSV header row in collection results.
    pub language: Option<Language>,
    /// Value of the `User-Agent` header.
    pub user_agent: String,
    /// PEM bundles with CA certificates that the client trusts in addition to the system certificates.
    pub ca_certificates: Vec<Vec<u8>>,
    /// Timeouts, retry limits and poll interval of the API client.
    pub settings: Settings,
}

impl ClientConfig {
    /// Creates a configuration with default values for all optional fields.
    pub fn new(endpoint: impl Into<String>, credentials: Credentials, project_ref: ProjectRef) -> Self {
        Self {
            endpoint: endpoint.into(),
            iam_endpoint: None,
            credentials,
            project_ref,
            language: None,
            user_agent: format!("clew-client/{}", env!("CARGO_PKG_VERSION")),
            ca_certificates: Vec::new(),
            settings: Settings::default(),
        }
    }

    fn build_http_client(&self, endpoint: &Endpoint, iam_endpoint: &Endpoint) -> Result<reqwest::Client, ClientError> {
        install_crypto_provider();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(self.settings.connect_timeout)
            // The API never redirects, and a signature is valid only for one host and path (API spec, section 8.4).
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true);
        if endpoint.is_loopback() && iam_endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let mut certificates = Vec::new();
        for pem in &self.ca_certificates {
            let read = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| ClientError::Setup(format!("the CA certificates are not PEM: {error}")))?;
            if read.is_empty() {
                return Err(ClientError::Setup("the CA certificate file contains no PEM certificate".to_owned()));
            }
            certificates.extend(read);
        }
        // Plain HTTP requires no certificates, so the client also works on machines without CA certificates.
        builder = if endpoint.is_https() || iam_endpoint.is_https() {
            builder.tls_certs_merge(certificates)
        } else {
            builder.tls_certs_only(certificates)
        };
        builder.build().map_err(|error| {
            ClientError::Setup(format!(
                "TLS is not available: {}; check that CA certificates are installed",
                crate::error::root_cause_message(&error)
            ))
        })
    }
}

impl Client {
    /// Creates a client. Does not send any requests.
    pub fn new(mut config: ClientConfig) -> Result<Self, ClientError> {
        let endpoint = Endpoint::parse("endpoint", &config.endpoint)?;
        let iam_endpoint = match &config.iam_endpoint {
            Some(given) => Endpoint::parse("IAM endpoint", given)?,
            None => endpoint.clone(),
        };
        if HeaderValue::from_str(&config.user_agent).is_err() {
            return Err(ClientError::Setup(format!("user agent {:?} contains control characters", config.user_agent)));
        }
        let http = config.build_http_client(&endpoint, &iam_endpoint)?;
        // The bundles are no longer needed, and the debug output of the client must not contain them.
        config.ca_certificates = Vec::new();
        let (project, token) = (OnceCell::new(), Mutex::new(None));
        Ok(Self { inner: Arc::new(ClientInner { http, endpoint, iam_endpoint, config, project, token }) })
    }
}

fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread has already installed a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Client settings. The default values suit interactive commands and scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Timeout for a connection attempt, including the TLS handshake.
    pub connect_timeout: Duration,
    /// Timeout for receiving the complete response to a request, or the next chunk of a download.
    pub response_timeout: Duration,
    /// Maximum number of attempts per request, including the first attempt.
    pub max_attempts: u32,
    /// Delay before the first retry of a request. The delay doubles with each subsequent retry.
    /// Random jitter shortens each delay by up to half.
    pub initial_backoff: Duration,
    /// Maximum delay between two attempts. If `Retry-After` is longer, the client does not retry the request.
    pub max_backoff: Duration,
    /// Maximum number of times that the client resumes an interrupted download.
    pub max_interruptions: u32,
    /// Initial interval for polling the state of a collection task if the server does not support long polling.
    /// The poll interval increases to at most eight times the initial interval.
    pub poll_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_mins(1),
            max_attempts: 5,
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            max_interruptions: 10,
            poll_interval: Duration::from_millis(250),
        }
    }
}
