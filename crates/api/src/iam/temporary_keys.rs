//! Handler for `CreateTemporaryAccessKeyByToken`, which exchanges a token or a permanent key for a temporary key.

use clew_iam::decision::CredentialScope;
use clew_iam::{access_key, token};
use clew_model::{AccessKeyId, ApiErrorDefinition};
use clew_store::{IssuingCredentials, NewTemporaryAccessKey};
use http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api_request::{ApiRequest, Json};
use crate::caller::{Caller, CredentialKind, CredentialRef};
use crate::error::ApiError;
use crate::error_responses::{InvalidField, TemporaryKeyDenied};
use crate::iam::token_response::format_iam_timestamp;

const KEY_LIFETIME_RANGE_SECONDS: std::ops::RangeInclusive<i64> = 900..=86_400;

/// Request for a temporary access key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemporaryKeyRequest {
    auth: TemporaryKeyRequestAuth,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemporaryKeyRequestAuth {
    identity: TemporaryKeyRequestIdentity,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemporaryKeyRequestIdentity {
    /// Authentication methods; only `token` is supported
    #[schema(min_items = 1, max_items = 1, example = json!(["token"]))]
    methods: Vec<String>,
    token: Option<TemporaryKeySourceToken>,
    /// Policy that restricts the permissions of the temporary access key; not supported
    #[schema(value_type = Option<Object>)]
    policy: Option<Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemporaryKeySourceToken {
    /// Token that determines the scope of the access key; if omitted, the request's credentials determine the scope
    id: Option<String>,
    /// Lifetime of the access key, in seconds; the key expires no later than the credentials used to create it
    #[schema(minimum = 900, maximum = 86_400, default = 900)]
    duration_seconds: Option<i64>,
}

/// A created temporary access key.
#[derive(Serialize, ToSchema)]
pub(crate) struct TemporaryKeyResponse {
    credential: TemporaryKey,
}

#[derive(Serialize, ToSchema)]
struct TemporaryKey {
    access: String,
    secret: String,
    /// Value of the header X-Security-Token
    securitytoken: String,
    expires_at: String,
}

/// Create a temporary access key with a security token.
#[utoipa::path(post, path = "/v3.0/OS-CREDENTIAL/securitytokens", tag = "identity",
    operation_id = "CreateTemporaryAccessKey", request_body = TemporaryKeyRequest,
    responses(
        (status = 201, description = "The access key", body = TemporaryKeyResponse),
        InvalidField, TemporaryKeyDenied
    ))]
pub(crate) async fn create_temporary_key(
    ApiRequest { service, caller, body, .. }: ApiRequest,
) -> Result<(StatusCode, Json<TemporaryKeyResponse>), ApiError> {
    let identity = parse_temporary_key_request(&body)?;
    if caller.credential_kind == CredentialKind::TemporaryKey {
        // Otherwise, a client could renew a temporary key indefinitely.
        return Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "iam-temporary-by-temporary", []));
    }
    let requested = identity.token.unwrap_or(TemporaryKeySourceToken { id: None, duration_seconds: None });
    let lifetime = requested.duration_seconds.unwrap_or(*KEY_LIFETIME_RANGE_SECONDS.start());
    if !KEY_LIFETIME_RANGE_SECONDS.contains(&lifetime) {
        let arguments = [
            ("field", "auth.identity.token.duration_seconds".to_owned()),
            ("given", lifetime.to_string()),
            ("min", KEY_LIFETIME_RANGE_SECONDS.start().to_string()),
            ("max", KEY_LIFETIME_RANGE_SECONDS.end().to_string()),
        ];
        return Err(ApiError::with_detail(ApiErrorDefinition::IAM_INVALID_FIELD, "parameter-range", arguments));
    }
    let source = match &requested.id {
        Some(token) => validate_source_token(&caller, token).await?,
        None => SourceCredentials::from_caller(&caller),
    };
    let expires_at = Timestamp::now().as_second().saturating_add(lifetime).min(source.expires_at.unwrap_or(i64::MAX));
    let secret = access_key::generate_secret_key().map_err(ApiError::internal_error)?;
    let security_token = token::generate_security_token(&source.scope).map_err(ApiError::internal_error)?;
    let new = NewTemporaryAccessKey {
        user_id: caller.principal.user_id.clone(),
        id: AccessKeyId::generate(),
        secret: secret.clone(),
        token_hash: token::hash_token(security_token.expose_secret()),
        expires_at,
        issued_for: source.issued_for,
    };
    service.store.identities().create_temporary_key(&caller.build_audit_origin(), &new).await?;
    let credential = TemporaryKey {
        access: new.id.to_string(),
        secret: secret.expose_secret().to_owned(),
        securitytoken: security_token.expose_secret().to_owned(),
        expires_at: format_iam_timestamp(new.expires_at)?,
    };
    Ok((StatusCode::CREATED, Json(TemporaryKeyResponse { credential })))
}

fn parse_temporary_key_request(body: &[u8]) -> Result<TemporaryKeyRequestIdentity, ApiError> {
    let body: TemporaryKeyRequest =
        serde_json::from_slice(body).map_err(|_| ApiError::new(ApiErrorDefinition::IAM_INVALID_BODY))?;
    let identity = body.auth.identity;
    if identity.methods != ["token"] {
        return Err(ApiError::with_detail(ApiErrorDefinition::IAM_INVALID_BODY, "iam-token-method", []));
    }
    // Ignoring the requested restriction would grant the key more permissions than requested.
    if identity.policy.is_some() {
        return Err(ApiError::with_detail(ApiErrorDefinition::IAM_INVALID_FIELD, "iam-temporary-policy", []));
    }
    Ok(identity)
}

struct SourceCredentials {
    scope: CredentialScope,
    issued_for: IssuingCredentials,
    expires_at: Option<i64>,
}

impl SourceCredentials {
    fn from_caller(caller: &Caller) -> Self {
        let issued_for = match &caller.credential_ref {
            CredentialRef::Token(token) => IssuingCredentials::Token(token.hash),
            CredentialRef::Key(id) => IssuingCredentials::Key(id.clone()),
        };
        Self { scope: caller.principal.scope.clone(), issued_for, expires_at: caller.expires_at }
    }
}

async fn validate_source_token(caller: &Caller, token: &str) -> Result<SourceCredentials, ApiError> {
    let hash = token::hash_token(token);
    let stored = caller.service.store.identities().find_token(&hash).await?;
    let stored = stored.filter(|stored| !stored.revoked && stored.user.id == caller.principal.user_id);
    let stored = stored.ok_or_else(|| ApiError::new(ApiErrorDefinition::IAM_INVALID_TOKEN))?;
    if stored.expires_at <= Timestamp::now().as_second() {
        return Err(ApiError::new(ApiErrorDefinition::IAM_TOKEN_EXPIRED));
    }
    let scope = stored.scope_project.map_or(CredentialScope::Domain, CredentialScope::Project);
    Ok(SourceCredentials { scope, issued_for: IssuingCredentials::Token(hash), expires_at: Some(stored.expires_at) })
}
