//! One request and its answer: signed or with a token, sent again where that is safe.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use clew_iam::signature::{self, RequestToSign};
use clew_model::{AccessKeyId, ProjectId};
use jiff::Timestamp;

use crate::Client;
use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::response::Asked;
use crate::retry::{self, Repeatable};

/// A request as the API describes it, before anything is added that says who sends it.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// What is being done, for errors: "listing instances".
    pub(crate) doing: &'static str,
    pub(crate) method: Method,
    pub(crate) endpoint: &'a Endpoint,
    /// Percent-encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: String,
    pub(crate) project: Option<&'a ProjectId>,
    /// Headers that are not signed.
    pub(crate) unsigned: Vec<(HeaderName, String)>,
    pub(crate) repeatable: Repeatable,
}

impl Call<'_> {
    /// Pairs sorted and encoded as the signature has them.
    fn query(&self) -> String {
        let mut pairs: Vec<&(&str, String)> = self.query.iter().collect();
        pairs.sort();
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{}={}", signature::encode(key), signature::encode(value)))
            .collect();
        pairs.join("&")
    }
}

impl Client {
    /// A read of something of the project.
    pub(crate) fn get<'a>(
        &'a self,
        doing: &'static str,
        project: &'a ProjectId,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Call<'a> {
        Call {
            doing,
            method: Method::GET,
            endpoint: &self.inner.endpoint,
            path,
            query,
            content_type: Some("application/json"),
            body: String::new(),
            project: Some(project),
            unsigned: Vec::new(),
            repeatable: Repeatable::Always,
        }
    }

    /// Sends until there is a success, and reads its body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        let mut attempt = 1;
        loop {
            match self.json_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.pause_or_give_up(call.repeatable, attempt, error).await?,
            }
            attempt += 1;
        }
    }

    async fn json_once<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        let name = call.endpoint.to_string();
        let asked = self.asked(call.doing, &name);
        let exchange = async { asked.json(self.exchange(call).await?).await };
        tokio::time::timeout(asked.limit, exchange).await.map_err(|_| asked.timeout())?
    }

    /// Sends until there is a success, and returns it with its body unread.
    pub(crate) async fn stream(&self, call: &Call<'_>) -> Result<Response, ClientError> {
        let mut attempt = 1;
        loop {
            let name = call.endpoint.to_string();
            let asked = self.asked(call.doing, &name);
            let answer = tokio::time::timeout(asked.limit, self.exchange(call)).await;
            match answer.unwrap_or_else(|_| Err(asked.timeout())) {
                Ok(response) => return Ok(response),
                Err(error) => self.pause_or_give_up(call.repeatable, attempt, error).await?,
            }
            attempt += 1;
        }
    }

    /// Waits before the next attempt, or gives the error back if there should be none.
    async fn pause_or_give_up(
        &self,
        repeatable: Repeatable,
        attempt: u32,
        error: ClientError,
    ) -> Result<(), ClientError> {
        let settings = &self.inner.settings;
        if attempt >= settings.attempts || !retry::may_repeat(&error, repeatable) {
            return Err(error);
        }
        let Some(pause) = retry::pause(settings, attempt, &error, retry::chance()) else { return Err(error) };
        tracing::debug!(attempt, pause_ms = pause.as_millis(), %error, "request failed; trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    pub(crate) fn asked<'a>(&self, doing: &'static str, endpoint: &'a str) -> Asked<'a> {
        Asked { doing, endpoint, limit: self.inner.settings.answer }
    }

    /// One request, one answer. Only a token that has ended makes it two.
    async fn exchange(&self, call: &Call<'_>) -> Result<Response, ClientError> {
        match &self.inner.credentials {
            Credentials::AccessKey { id, secret, security_token } => {
                let headers = self.signed_headers(call, id, secret, security_token.as_ref())?;
                self.dispatch(call, headers).await
            }
            Credentials::Password { .. } => {
                let token = self.token(None).await?;
                match self.dispatch(call, self.headers_with_token(call, &token.value)?).await {
                    Err(ClientError::Api { status: 401, .. }) => {
                        let fresh = self.token(Some(&token)).await?;
                        self.dispatch(call, self.headers_with_token(call, &fresh.value)?).await
                    }
                    answer => answer,
                }
            }
        }
    }

    pub(crate) async fn dispatch(&self, call: &Call<'_>, mut headers: HeaderMap) -> Result<Response, ClientError> {
        for (name, value) in &call.unsigned {
            headers.insert(name.clone(), header_value(name.as_str(), value)?);
        }
        let name = call.endpoint.to_string();
        let asked = self.asked(call.doing, &name);
        let request = self
            .inner
            .http
            .request(call.method.clone(), call.endpoint.request(&call.path, &call.query()))
            .headers(headers)
            .body(call.body.clone());
        let response = request.send().await.map_err(|error| asked.failed(error))?;
        asked.success(response).await
    }

    /// What every request says about itself, in the order of nothing in particular.
    pub(crate) fn plain_headers(&self, call: &Call<'_>) -> Vec<(String, String)> {
        let mut headers = vec![
            (HOST.to_string(), call.endpoint.host_header()),
            (USER_AGENT.to_string(), self.inner.user_agent.clone()),
        ];
        if let Some(content_type) = call.content_type {
            headers.push((CONTENT_TYPE.to_string(), content_type.to_owned()));
        }
        if let (Some(language), Some(_)) = (self.inner.language, call.project) {
            headers.push(("x-language".to_owned(), language.tag().to_owned()));
        }
        headers
    }

    /// All headers, signed as the official SDK signs them: every one of them, by the access key (spec section 8.1).
    fn signed_headers(
        &self,
        call: &Call<'_>,
        access_key: &AccessKeyId,
        secret: &SecretString,
        security_token: Option<&SecretString>,
    ) -> Result<HeaderMap, ClientError> {
        let date = signature::date(Timestamp::now());
        let mut headers = self.plain_headers(call);
        headers.push(("x-sdk-date".to_owned(), date.clone()));
        if let Some(project) = call.project {
            headers.push(("x-project-id".to_owned(), project.to_string()));
        }
        if let Some(token) = security_token {
            headers.push(("x-security-token".to_owned(), token.expose_secret().to_owned()));
        }
        let url = call.endpoint.request(&call.path, &call.query());
        let request = RequestToSign {
            method: call.method.as_str(),
            path: url.path(),
            query: url.query().unwrap_or_default(),
            headers: &headers,
            body_sha256: signature::body_sha256(call.body.as_bytes()),
        };
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let authorization = signature::sign(&request, &names, &date, access_key, secret);
        let mut headers = header_map(&headers)?;
        headers.insert(AUTHORIZATION, header_value("authorization", &authorization)?);
        Ok(headers)
    }

    fn headers_with_token(&self, call: &Call<'_>, token: &SecretString) -> Result<HeaderMap, ClientError> {
        let mut headers = header_map(&self.plain_headers(call))?;
        headers.insert("x-auth-token", header_value("x-auth-token", token.expose_secret())?);
        Ok(headers)
    }
}

pub(crate) fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, ClientError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = header_value(name, value)?;
        let name =
            HeaderName::try_from(name.as_str()).map_err(|_| ClientError::Setup(format!("{name:?} is no header")))?;
        map.insert(name, value);
    }
    Ok(map)
}

/// A value that HTTP allows. What it is stays out of the error and of the client's own logs: it may be a secret.
fn header_value(name: &str, value: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| ClientError::Setup(format!("the value for {name} holds characters that no header can carry")))?;
    value.set_sensitive(matches!(name, "authorization" | "x-auth-token" | "x-security-token"));
    Ok(value)
}
