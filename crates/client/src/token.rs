//! Password authentication: `POST /v3/auth/tokens` (TaurusDB API spec, section 3.2).

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

#[derive(Serialize)]
struct TokenRequest<'a> {
    auth: TokenRequestAuth<'a>,
}

#[derive(Serialize)]
struct TokenRequestAuth<'a> {
    identity: TokenRequestIdentity<'a>,
    scope: TokenRequestScope<'a>,
}

#[derive(Serialize)]
struct TokenRequestIdentity<'a> {
    methods: [&'static str; 1],
    password: TokenRequestPassword<'a>,
}

#[derive(Serialize)]
struct TokenRequestPassword<'a> {
    user: TokenRequestUser<'a>,
}

#[derive(Serialize)]
struct TokenRequestUser<'a> {
    name: &'a str,
    password: &'a str,
    domain: TokenRequestDomain<'a>,
}

#[derive(Serialize)]
struct TokenRequestDomain<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct TokenRequestScope<'a> {
    project: TokenRequestProject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum TokenRequestProject<'a> {
    Id(&'a str),
    Name(&'a str),
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
    /// Also requests a new token if the cached token is `refused`, the token that the server has rejected.
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
        let body = TokenRequest {
            auth: TokenRequestAuth {
                identity: TokenRequestIdentity {
                    methods: ["password"],
                    password: TokenRequestPassword {
                        user: TokenRequestUser {
                            name: user,
                            password: password.expose_secret(),
                            domain: TokenRequestDomain { name: domain },
                        },
                    },
                },
                scope: TokenRequestScope {
                    project: match &self.inner.config.project_ref {
                        ProjectRef::Project(id) => TokenRequestProject::Id(id.as_str()),
                        ProjectRef::Region(name) => TokenRequestProject::Name(name),
                    },
                },
            },
        };
        serde_json::to_string(&body).map_err(|error| ClientError::Setup(error.to_string()))
    }
}
