//! Password authentication: `POST /v3/auth/tokens` (TaurusDB API spec, section 3.2).

use std::collections::BTreeMap;

use clew_model::ProjectId;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::project::ProjectRef;
use crate::transport::{ApiRequest, to_header_map};

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    pub(crate) project: ProjectId,
}

type JsonObject<T> = BTreeMap<&'static str, T>;

#[derive(Serialize)]
struct TokenRequestAuth<'a> {
    identity: TokenRequestIdentity<'a>,
    scope: JsonObject<JsonObject<&'a str>>,
}

#[derive(Serialize)]
struct TokenRequestIdentity<'a> {
    methods: [&'static str; 1],
    password: JsonObject<TokenRequestUser<'a>>,
}

/// Borrows the password, so that this struct does not contain an additional copy of the password.
#[derive(Serialize)]
struct TokenRequestUser<'a> {
    name: &'a str,
    password: &'a str,
    domain: JsonObject<&'a str>,
}

#[derive(Deserialize)]
struct TokenResponse {
    token: TokenDetails,
}

#[derive(Deserialize)]
struct TokenDetails {
    project: Option<TokenProject>,
}

#[derive(Deserialize)]
struct TokenProject {
    id: ProjectId,
}

impl Client {
    /// If the cached token equals `refused`, which the server has rejected, the client requests a new token.
    /// Concurrent callers share one token request.
    pub(crate) async fn get_or_request_token(&self, refused: Option<&Token>) -> Result<Token, ClientError> {
        let mut cached = self.inner.token.lock().await;
        if let Some(token) = cached.as_ref() {
            let refused = refused.is_some_and(|refused| refused.value.expose_secret() == token.value.expose_secret());
            if !refused {
                return Ok(token.clone());
            }
        }
        let token = self.sign_in().await?;
        *cached = Some(token.clone());
        Ok(token)
    }

    async fn sign_in(&self) -> Result<Token, ClientError> {
        let query = vec![("nocatalog", "true".to_owned())];
        let request = ApiRequest {
            content_type: Some("application/json;charset=utf8"),
            body: self.build_token_request_body()?,
            ..self.build_iam_request("signing in", Method::POST, "/v3/auth/tokens", query)
        };
        let context = self.new_request_context(request.operation, request.endpoint);
        let http_response =
            self.send_request_with_headers(&request, to_header_map(&self.build_common_headers(&request))?).await?;
        let value = http_response.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        let value =
            value.map(SecretString::from).ok_or_else(|| context.invalid_response_error("no X-Subject-Token header"))?;
        let response: TokenResponse = context.read_json_body(http_response).await?;
        let project =
            response.token.project.ok_or_else(|| context.invalid_response_error("the token has no project"))?.id;
        Ok(Token { value, project })
    }

    fn build_token_request_body(&self) -> Result<String, ClientError> {
        let Credentials::Password { domain, user, password } = &self.inner.config.credentials else {
            return Err(ClientError::Setup("a password is missing".to_owned()));
        };
        let domain = JsonObject::from([("name", domain.as_str())]);
        let user = TokenRequestUser { name: user, password: password.expose_secret(), domain };
        let identity = TokenRequestIdentity { methods: ["password"], password: JsonObject::from([("user", user)]) };
        let project = match &self.inner.config.project_ref {
            ProjectRef::Project(id) => ("id", id.as_str()),
            ProjectRef::Region(name) => ("name", name.as_str()),
        };
        let scope = JsonObject::from([("project", JsonObject::from([project]))]);
        let body = JsonObject::from([("auth", TokenRequestAuth { identity, scope })]);
        serde_json::to_string(&body).map_err(|error| ClientError::Setup(error.to_string()))
    }
}
