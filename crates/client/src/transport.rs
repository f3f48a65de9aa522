//! Authenticates, sends and retries API requests.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use clew_iam::signature::{self, RequestToSign};
use clew_model::{AccessKeyId, InstanceId, NodeId, ProjectId};
use jiff::Timestamp;

use crate::Client;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::response::RequestContext;
use crate::retry::{self, Idempotency};

#[derive(Debug, Clone)]
pub(crate) struct ApiRequest<'a> {
    /// Name of the operation in error messages, such as "listing instances".
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) endpoint: &'a Endpoint,
    /// Percent-encoded path.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: String,
    pub(crate) project: Option<&'a ProjectId>,
    /// Headers that the request signature does not cover.
    pub(crate) unsigned_headers: Vec<(HeaderName, String)>,
    pub(crate) idempotency: Idempotency,
}

impl ApiRequest<'_> {
    /// The request signature requires sorted, percent-encoded parameters.
    fn encode_query_string(&self) -> String {
        let mut pairs: Vec<&(&str, String)> = self.query.iter().collect();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}={}", signature::percent_encode(key), signature::percent_encode(value)))
            .collect();
        pairs.join("&")
    }
}

impl Client {
    pub(crate) fn build_get_request<'a>(
        &'a self,
        operation: &'static str,
        project: &'a ProjectId,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> ApiRequest<'a> {
        ApiRequest {
            endpoint: &self.inner.endpoint,
            content_type: Some("application/json"),
            project: Some(project),
            ..self.build_iam_request(operation, Method::GET, path, query)
        }
    }

    pub(crate) fn build_iam_request(
        &self,
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        query: Vec<(&'static str, String)>,
    ) -> ApiRequest<'_> {
        ApiRequest {
            operation,
            method,
            endpoint: &self.inner.iam_endpoint,
            path: path.into(),
            query,
            content_type: None,
            body: String::new(),
            project: None,
            unsigned_headers: Vec::new(),
            idempotency: Idempotency::Idempotent,
        }
    }

    pub(crate) async fn build_node_request(
        &self,
        operation: &'static str,
        (instance, node): (&InstanceId, &NodeId),
        resource: &str,
        request_id: Option<&str>,
    ) -> Result<ApiRequest<'_>, ClientError> {
        let project = self.project_id().await?;
        let path = format!("/v3/{project}/instances/{instance}/nodes/{node}/{resource}");
        let query = request_id.map(|id| ("request_id", id.to_owned())).into_iter().collect();
        Ok(self.build_get_request(operation, project, path, query))
    }

    pub(crate) async fn send_json_request<T: DeserializeOwned>(
        &self,
        request: &ApiRequest<'_>,
    ) -> Result<T, ClientError> {
        let context = self.new_request_context(request.operation, request.endpoint);
        self.call_with_retries(request, || async {
            context.read_json_body(self.send_authenticated_request(request).await?).await
        })
        .await
    }

    pub(crate) async fn send_request_with_retries(&self, request: &ApiRequest<'_>) -> Result<Response, ClientError> {
        self.call_with_retries(request, || self.send_authenticated_request(request)).await
    }

    async fn call_with_retries<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        request: &ApiRequest<'_>,
        attempt: impl Fn() -> F,
    ) -> Result<T, ClientError> {
        let settings = &self.inner.config.settings;
        let context = self.new_request_context(request.operation, request.endpoint);
        let mut attempts = 1;
        loop {
            let result = tokio::time::timeout(context.timeout, attempt()).await;
            let error = match result.unwrap_or_else(|_| Err(context.timeout_error())) {
                Err(error) if attempts < settings.max_attempts && retry::is_retryable(&error, request.idempotency) => {
                    error
                }
                result => return result,
            };
            let Some(pause) = retry::compute_backoff_delay(settings, attempts, &error, retry::random_jitter()) else {
                return Err(error);
            };
            tracing::debug!(attempt = attempts, pause_ms = pause.as_millis(), %error, "request failed; retrying");
            tokio::time::sleep(pause).await;
            attempts += 1;
        }
    }

    pub(crate) fn new_request_context<'a>(
        &self,
        operation: &'static str,
        endpoint: &'a Endpoint,
    ) -> RequestContext<'a> {
        RequestContext { operation, endpoint, timeout: self.inner.config.settings.response_timeout }
    }

    /// If the server rejects the token, the client requests a new token and sends the request once more.
    async fn send_authenticated_request(&self, request: &ApiRequest<'_>) -> Result<Response, ClientError> {
        match &self.inner.config.credentials {
            Credentials::AccessKey { id, secret, security_token } => {
                let headers = self.build_signed_headers(request, id, secret, security_token.as_ref())?;
                self.send_request_with_headers(request, headers).await
            }
            Credentials::Password { .. } => {
                let token = self.get_or_request_token(None).await?;
                match self.send_request_with_headers(request, self.build_token_headers(request, &token.value)?).await {
                    Err(ClientError::Api { status: 401, .. }) => {
                        let new_token = self.get_or_request_token(Some(&token)).await?;
                        self.send_request_with_headers(request, self.build_token_headers(request, &new_token.value)?)
                            .await
                    }
                    result => result,
                }
            }
        }
    }

    pub(crate) async fn send_request_with_headers(
        &self,
        request: &ApiRequest<'_>,
        mut headers: HeaderMap,
    ) -> Result<Response, ClientError> {
        for (name, value) in &request.unsigned_headers {
            headers.insert(name.clone(), to_header_value(name.as_str(), value)?);
        }
        let context = self.new_request_context(request.operation, request.endpoint);
        let http_request = self
            .inner
            .http
            .request(
                request.method.clone(),
                request.endpoint.build_request_url(&request.path, &request.encode_query_string()),
            )
            .headers(headers)
            .body(request.body.clone());
        let response = http_request.send().await.map_err(|error| context.transport_error(error))?;
        context.check_response_status(response).await
    }

    pub(crate) fn build_common_headers(&self, request: &ApiRequest<'_>) -> Vec<(String, String)> {
        let mut headers = vec![
            (HOST.to_string(), request.endpoint.host_header_value()),
            (USER_AGENT.to_string(), self.inner.config.user_agent.clone()),
        ];
        if let Some(content_type) = request.content_type {
            headers.push((CONTENT_TYPE.to_string(), content_type.to_owned()));
        }
        if let (Some(language), Some(_)) = (self.inner.config.language, request.project) {
            headers.push(("x-language".to_owned(), language.name().to_owned()));
        }
        headers
    }

    /// As in the official SDKs, the signature covers all returned headers except `Authorization` (API spec, section 8.1).
    fn build_signed_headers(
        &self,
        request: &ApiRequest<'_>,
        access_key: &AccessKeyId,
        secret: &SecretString,
        security_token: Option<&SecretString>,
    ) -> Result<HeaderMap, ClientError> {
        let date = signature::format_x_sdk_date(Timestamp::now());
        let mut headers = self.build_common_headers(request);
        headers.push(("x-sdk-date".to_owned(), date.clone()));
        if let Some(project) = request.project {
            headers.push(("x-project-id".to_owned(), project.to_string()));
        }
        if let Some(token) = security_token {
            headers.push(("x-security-token".to_owned(), token.expose_secret().to_owned()));
        }
        let url = request.endpoint.build_request_url(&request.path, &request.encode_query_string());
        let to_sign = RequestToSign {
            method: request.method.as_str(),
            path: url.path(),
            query: url.query().unwrap_or_default(),
            headers: &headers,
            body_sha256: signature::hash_body(request.body.as_bytes()),
        };
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let authorization = signature::sign_request(&to_sign, &names, &date, access_key, secret);
        let mut headers = to_header_map(&headers)?;
        headers.insert(AUTHORIZATION, to_header_value("authorization", &authorization)?);
        Ok(headers)
    }

    fn build_token_headers(&self, request: &ApiRequest<'_>, token: &SecretString) -> Result<HeaderMap, ClientError> {
        let mut headers = to_header_map(&self.build_common_headers(request))?;
        headers.insert("x-auth-token", to_header_value("x-auth-token", token.expose_secret())?);
        Ok(headers)
    }
}

pub(crate) fn to_header_map(headers: &[(String, String)]) -> Result<HeaderMap, ClientError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = to_header_value(name, value)?;
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| ClientError::Setup(format!("{name:?} is not a valid header name")))?;
        map.insert(name, value);
    }
    Ok(map)
}

/// Error messages omit the header value, because it may be a secret.
fn to_header_value(name: &str, value: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        ClientError::Setup(format!("the value for {name} contains characters that are invalid in a header"))
    })?;
    value.set_sensitive(matches!(name, "authorization" | "x-auth-token" | "x-security-token"));
    Ok(value)
}
