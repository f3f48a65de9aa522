//! API client builder.

use std::sync::Arc;

use clew_model::{Language, ProjectId};
use reqwest::header::HeaderValue;
use tokio::sync::{Mutex, OnceCell};

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::project::ProjectRef;
use crate::settings::Settings;
use crate::{Client, ClientInner};

/// Builds a [`Client`]. Credentials and either a project or a region are required. All other options have defaults.
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    endpoint: String,
    iam_endpoint: Option<String>,
    credentials: Option<Credentials>,
    project_ref: Option<ProjectRef>,
    language: Option<Language>,
    user_agent: String,
    ca_certificates: Vec<Vec<u8>>,
    settings: Settings,
}

impl Client {
    /// Creates a client builder. `endpoint` is the server's URL, such as `https://host` or `http://host:port`.
    pub fn builder(endpoint: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            endpoint: endpoint.into(),
            iam_endpoint: None,
            credentials: None,
            project_ref: None,
            language: None,
            user_agent: format!("clew-client/{}", env!("CARGO_PKG_VERSION")),
            ca_certificates: Vec::new(),
            settings: Settings::default(),
        }
    }
}

impl ClientBuilder {
    /// Sets the IAM endpoint for token requests and project lookups. The default is the API endpoint.
    #[must_use]
    pub fn iam_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.iam_endpoint = Some(endpoint.into());
        self
    }

    /// Sets the credentials.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the project.
    #[must_use]
    pub fn project(mut self, project: ProjectId) -> Self {
        self.project_ref = Some(ProjectRef::Project(project));
        self
    }

    /// Sets the region. Before the first request, the client looks up the region's project.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.project_ref = Some(ProjectRef::Region(region.into()));
        self
    }

    /// Sets the language of error messages and of the CSV header row in collection results.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = Some(language);
        self
    }

    /// Sets the `User-Agent` header.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Trusts the CA certificates in a PEM bundle, in addition to the system certificates.
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates.push(pem.into());
        self
    }

    /// Sets the timeouts, the retry limits and the poll interval.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Builds the client without sending any requests.
    pub fn build(self) -> Result<Client, ClientError> {
        let missing = |what: &str| ClientError::Setup(format!("{what} is missing"));
        let endpoint = Endpoint::parse("endpoint", &self.endpoint)?;
        let iam_endpoint = match &self.iam_endpoint {
            Some(given) => Endpoint::parse("IAM endpoint", given)?,
            None => endpoint.clone(),
        };
        if HeaderValue::from_str(&self.user_agent).is_err() {
            return Err(ClientError::Setup(format!("user agent {:?} contains control characters", self.user_agent)));
        }
        let http = self.build_http_client(&endpoint, &iam_endpoint)?;
        Ok(Client {
            inner: Arc::new(ClientInner {
                http,
                endpoint,
                iam_endpoint,
                credentials: self
                    .credentials
                    .ok_or_else(|| missing("an access key with its secret key, or a user with a password"))?,
                project_ref: self.project_ref.ok_or_else(|| missing("a project id or a region"))?,
                language: self.language,
                user_agent: self.user_agent,
                settings: self.settings,
                project: OnceCell::new(),
                token: Mutex::new(None),
            }),
        })
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

/// Installs a process-wide crypto provider for rustls unless a provider is already installed.
fn install_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread has already installed a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
