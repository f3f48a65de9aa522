//! Password authentication: `POST /v3/auth/tokens` (TaurusDB API spec, section 3.2).

use clew_model::ProjectId;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

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
    /// Returns the cached token, or requests a new token if no token is cached.
    /// Also requests a new token if the cached token equals `refused`, which is the token that the server rejected.
    ///
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
        let project = match &self.inner.config.project_ref {
            ProjectRef::Project(id) => json!({ "id": id.as_str() }),
            ProjectRef::Region(name) => json!({ "name": name }),
        };
        let user = json!({ "name": user, "password": password.expose_secret(), "domain": { "name": domain } });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        Ok(json!({ "auth": { "identity": identity, "scope": { "project": project } } }).to_string())
    }
}
