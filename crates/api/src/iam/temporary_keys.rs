//! Temporary access keys for those who have a token or a permanent key: `CreateTemporaryAccessKeyByToken` of the cloud.

use axum::body::Bytes;
use axum::extract::State;
use clew_iam::decision::Scope;
use clew_iam::{access_key, token};
use clew_model::{AccessKeyId, ErrorEntry};
use clew_store::{IssuedFor, NewTemporaryKey};
use http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Service;
use crate::caller::{Caller, Credentials, Proof};
use crate::iam::security_token;
use crate::iam::token_answer::moment;
use crate::json::Json;
use crate::refusal::{ErrorBody, Refusal};

/// Seconds that a key can be good for: 15 minutes to 24 hours.
const DURATION: std::ops::RangeInclusive<i64> = 900..=86_400;

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemporaryKeyRequest {
    auth: TemporaryKeyAuth,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemporaryKeyAuth {
    identity: TemporaryKeyIdentity,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemporaryKeyIdentity {
    /// token, and nothing else
    #[schema(min_items = 1, max_items = 1, example = json!(["token"]))]
    methods: Vec<String>,
    token: Option<TemporaryKeyToken>,
    /// Not supported: a key can do what its token can
    #[schema(value_type = Option<Object>)]
    policy: Option<Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemporaryKeyToken {
    /// A token of the caller; without it the key is good for what the request's own credentials are good for
    id: Option<String>,
    /// How long the key is good. It never outlives the token that it is issued for
    #[schema(minimum = 900, maximum = 86_400, default = 900)]
    duration_seconds: Option<i64>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct TemporaryKeyAnswer {
    credential: TemporaryKey,
}

#[derive(Serialize, ToSchema)]
struct TemporaryKey {
    access: String,
    secret: String,
    /// To be sent in X-Security-Token
    securitytoken: String,
    expires_at: String,
}

/// Get a temporary access key with its security token.
#[utoipa::path(
    post,
    path = "/v3.0/OS-CREDENTIAL/securitytokens",
    tag = "identity",
    request_body(content = TemporaryKeyRequest, content_type = "application/json"),
    responses(
        (status = 201, description = "The key", body = TemporaryKeyAnswer),
        (status = 400, description = "A field is missing or wrong", body = ErrorBody),
        (status = 403, description = "The request was signed with a temporary key", body = ErrorBody)
    )
)]
pub(crate) async fn create(
    State(service): State<Service>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<TemporaryKeyAnswer>), Refusal> {
    let identity = parse(&body)?;
    if caller.credentials == Credentials::TemporaryKey {
        // Else a key could be made to last for ever.
        return Err(Refusal::because(ErrorEntry::IAM_FORBIDDEN_SCOPE, "iam-temporary-by-temporary", Vec::new()));
    }
    let asked = identity.token.unwrap_or(TemporaryKeyToken { id: None, duration_seconds: None });
    let duration = asked.duration_seconds.unwrap_or(*DURATION.start());
    if !DURATION.contains(&duration) {
        let arguments = vec![
            ("field", "auth.identity.token.duration_seconds".to_owned()),
            ("given", duration.to_string()),
            ("min", DURATION.start().to_string()),
            ("max", DURATION.end().to_string()),
        ];
        return Err(Refusal::because(ErrorEntry::IAM_INVALID_FIELD, "parameter-range", arguments));
    }
    let source = match &asked.id {
        Some(token) => token_of(&service, &caller, token).await?,
        None => Source::of(&caller),
    };
    let expires_at = Timestamp::now().as_second().saturating_add(duration).min(source.expires_at.unwrap_or(i64::MAX));
    let failed = |error| Refusal::internal(&error);
    let secret = access_key::generate_secret().map_err(failed)?;
    let security_token = security_token::generate(&source.scope).map_err(failed)?;
    let new = NewTemporaryKey {
        user_id: caller.principal.user_id.clone(),
        id: AccessKeyId::generate(),
        secret: secret.clone(),
        token_hash: token::hash(security_token.expose_secret()),
        expires_at,
        issued_for: source.issued_for,
    };
    service.store.create_temporary_key(&caller.origin(), &new).await?;
    let credential = TemporaryKey {
        access: new.id.to_string(),
        secret: secret.expose_secret().to_owned(),
        securitytoken: security_token.expose_secret().to_owned(),
        expires_at: moment(new.expires_at)?,
    };
    Ok((StatusCode::CREATED, Json(TemporaryKeyAnswer { credential })))
}

fn parse(body: &[u8]) -> Result<TemporaryKeyIdentity, Refusal> {
    let body: TemporaryKeyRequest =
        serde_json::from_slice(body).map_err(|_| Refusal::new(ErrorEntry::IAM_INVALID_BODY))?;
    let identity = body.auth.identity;
    if identity.methods != ["token"] {
        return Err(Refusal::because(ErrorEntry::IAM_INVALID_BODY, "iam-token-method", Vec::new()));
    }
    // To leave a restriction out would hand out more than was asked for.
    if identity.policy.is_some() {
        return Err(Refusal::because(ErrorEntry::IAM_INVALID_FIELD, "iam-temporary-policy", Vec::new()));
    }
    Ok(identity)
}

/// The credentials that a temporary key is issued for. It is good for what they are good for, and ends with them.
struct Source {
    scope: Scope,
    issued_for: IssuedFor,
    expires_at: Option<i64>,
}

impl Source {
    fn of(caller: &Caller) -> Self {
        let issued_for = match &caller.proof {
            Proof::Token(token) => IssuedFor::Token(token.hash),
            Proof::Key(id) => IssuedFor::Key(id.clone()),
        };
        Self { scope: caller.principal.scope.clone(), issued_for, expires_at: caller.expires_at }
    }
}

/// A token of the caller.
async fn token_of(service: &Service, caller: &Caller, token: &str) -> Result<Source, Refusal> {
    let hash = token::hash(token);
    let stored = service.store.token(&hash).await?;
    let stored = stored.filter(|stored| !stored.revoked && stored.user.id == caller.principal.user_id);
    let stored = stored.ok_or_else(|| Refusal::new(ErrorEntry::IAM_INVALID_TOKEN))?;
    if stored.expires_at <= Timestamp::now().as_second() {
        return Err(Refusal::new(ErrorEntry::IAM_TOKEN_EXPIRED));
    }
    let scope = stored.scope_project.map_or(Scope::Domain, Scope::Project);
    Ok(Source { scope, issued_for: IssuedFor::Token(hash), expires_at: Some(stored.expires_at) })
}
