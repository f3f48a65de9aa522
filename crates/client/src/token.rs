//! Signing in with a password: `POST /v3/auth/tokens` (spec section 3.2).

use clew_model::ProjectId;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Client;
use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::exchange::{Call, header_map};
use crate::project::Place;
use crate::retry::Repeatable;

const DOING: &str = "signing in";

/// A token, and the project that it is for.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    pub(crate) project: ProjectId,
}

#[derive(Serialize)]
struct Body<'a> {
    auth: Auth<'a>,
}

#[derive(Serialize)]
struct Auth<'a> {
    identity: Identity<'a>,
    scope: Scope<'a>,
}

#[derive(Serialize)]
struct Identity<'a> {
    methods: [&'static str; 1],
    password: Password<'a>,
}

#[derive(Serialize)]
struct Password<'a> {
    user: User<'a>,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    password: &'a str,
    domain: Named<'a>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Scope<'a> {
    project: ScopeProject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ScopeProject<'a> {
    Id(&'a str),
    Name(&'a str),
}

#[derive(Deserialize)]
struct Answer {
    token: AnswerToken,
}

#[derive(Deserialize)]
struct AnswerToken {
    project: Option<AnswerProject>,
}

#[derive(Deserialize)]
struct AnswerProject {
    id: ProjectId,
}

impl Client {
    /// The token to send. If it is the one that was just refused, a fresh one; whoever else was refused gets the same.
    pub(crate) async fn token(&self, refused: Option<&Token>) -> Result<Token, ClientError> {
        let mut kept = self.inner.token.lock().await;
        if let Some(token) = kept.as_ref() {
            let refused = refused.is_some_and(|refused| refused.value.expose_secret() == token.value.expose_secret());
            if !refused {
                return Ok(token.clone());
            }
        }
        let token = self.sign_in().await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn sign_in(&self) -> Result<Token, ClientError> {
        let call = Call {
            doing: DOING,
            method: Method::POST,
            endpoint: &self.inner.iam_endpoint,
            path: "/v3/auth/tokens".to_owned(),
            query: vec![("nocatalog", "true".to_owned())],
            content_type: Some("application/json;charset=utf8"),
            body: self.sign_in_body()?,
            project: None,
            unsigned: Vec::new(),
            repeatable: Repeatable::Always,
        };
        let name = call.endpoint.to_string();
        let asked = self.asked(DOING, &name);
        let response = self.dispatch(&call, header_map(&self.plain_headers(&call))?).await?;
        let value = response.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        let value = value.map(SecretString::from).ok_or_else(|| asked.not_understood("no X-Subject-Token"))?;
        let answer: Answer = asked.json(response).await?;
        let project = answer.token.project.ok_or_else(|| asked.not_understood("the token is for no project"))?.id;
        Ok(Token { value, project })
    }

    fn sign_in_body(&self) -> Result<String, ClientError> {
        let Credentials::Password { domain, user, password } = &self.inner.credentials else {
            return Err(ClientError::Setup("a password is missing".to_owned()));
        };
        let body = Body {
            auth: Auth {
                identity: Identity {
                    methods: ["password"],
                    password: Password {
                        user: User { name: user, password: password.expose_secret(), domain: Named { name: domain } },
                    },
                },
                scope: Scope {
                    project: match &self.inner.place {
                        Place::Project(id) => ScopeProject::Id(id.as_str()),
                        Place::Region(name) => ScopeProject::Name(name),
                    },
                },
            },
        };
        serde_json::to_string(&body).map_err(|error| ClientError::Setup(error.to_string()))
    }
}
