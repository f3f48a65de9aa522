//! Authenticates requests with a token (`X-Auth-Token` header or session cookie) or an access key signature.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use clew_http::{ClientAddr, HostPrefixedCookie, RequestBodyError};
use clew_iam::decision::{CredentialScope, Principal};
use clew_iam::signature::{self, AuthorizationHeader, RequestToSign, SignatureError};
use clew_iam::token;
use clew_model::ApiErrorDefinition;
use clew_store::{AccessKey, CachedStoreView, LockoutState, TemporaryAccessKeyValidity, User};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use subtle::ConstantTimeEq;
use tracing::warn;

use crate::audit::AuditContext;
use crate::caller::{Caller, CredentialKind, CredentialRef, ValidToken};
use crate::console::csrf;
use crate::error::ApiError;
use crate::iam::auth_attempts::{self, AuthFailureCounter};
use crate::{ApiSettings, AppState, SharedState, limits};

const SECURITY_TOKEN_HEADER: &str = "x-security-token";
const TOKEN_HEADER: &str = "x-auth-token";

pub(crate) const SESSION_COOKIE: HostPrefixedCookie = HostPrefixedCookie("clew_session");

pub(crate) async fn authenticate_request(
    service: &SharedState,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let peer = limits::client_ip(&parts.extensions);
    peer.map_or(Ok(()), |peer| service.limits.check_auth_failure_limit(peer))?;
    let audit_context = parts.extensions.get::<AuditContext>().cloned().unwrap_or_else(|| AuditContext::new(peer, ""));
    let outcome = authenticate_caller(service, &audit_context, &parts, body).await;
    if let (Some(peer), Err(refusal)) = (peer, &outcome)
        && refusal.status() == StatusCode::UNAUTHORIZED
    {
        service.limits.record_auth_failure(peer);
    }
    let (identity, body) = outcome?;
    audit_context.set_actor(&identity.user);
    let user = identity.user.id.clone();
    service.limits.check_principal_rate_limit(&user)?;
    let principal = build_principal(service, &identity).await?;
    service.limits.consume_policy_evaluation_quota(&user, principal.total_policy_bytes())?;
    let caller = Caller {
        service: service.clone(),
        credential_kind: identity.credential_kind,
        credential_ref: identity.credential_ref.clone(),
        client: parts.extensions.get().copied(),
        request_id: audit_context.request_id(),
        audit: audit_context,
        expires_at: identity.expires_at,
        principal,
        view: identity.view,
    };
    parts.extensions.insert(caller);
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

struct AuthenticatedIdentity {
    user: Arc<User>,
    scope: CredentialScope,
    credential_kind: CredentialKind,
    credential_ref: CredentialRef,
    expires_at: Option<i64>,
    view: CachedStoreView,
}

/// Reads the body only if the token is valid or the access key exists, so that other clients cannot exhaust memory.
async fn authenticate_caller(
    service: &AppState,
    audit_context: &AuditContext,
    parts: &Parts,
    body: Body,
) -> Result<(AuthenticatedIdentity, Bytes), ApiError> {
    let header = parts.headers.get(TOKEN_HEADER).map(|token| token.to_str().unwrap_or_default());
    let signed = parts.headers.contains_key(AUTHORIZATION);
    // Explicit credentials take precedence because browsers send the cookie with every request.
    let cookie = if header.is_none() && !signed {
        SESSION_COOKIE.find_value_in_request(&parts.headers, parts.extensions.get())
    } else {
        None
    };
    let has_body = !body.is_end_stream();
    if let Some(token) = header.or(cookie) {
        let mut identity = authenticate_by_token(service, audit_context, token).await?;
        if cookie.is_some() {
            csrf::check_csrf_protection(parts, token)?;
        }
        let body = read_request_body(body, &service.settings).await?;
        if has_body {
            // The token may have been revoked while the client was sending the body.
            identity = authenticate_by_token(service, audit_context, token).await?;
        }
        return Ok((identity, body));
    }
    let mut signed = UnverifiedSignedRequest::load_from_request(service, audit_context, parts).await?;
    let body = read_request_body(body, &service.settings).await?;
    if has_body {
        signed = UnverifiedSignedRequest::load_from_request(service, audit_context, parts).await?;
    }
    Ok((signed.verify_signature(service, parts, &body).await?, body))
}

pub(crate) fn is_authenticated_by_cookie(headers: &HeaderMap, connection: Option<&ClientAddr>) -> bool {
    !headers.contains_key(TOKEN_HEADER)
        && !headers.contains_key(AUTHORIZATION)
        && SESSION_COOKIE.find_value_in_request(headers, connection).is_some()
}

pub(crate) async fn read_request_body(body: Body, settings: &ApiSettings) -> Result<Bytes, ApiError> {
    let (limit, timeout) = (settings.max_body_bytes, settings.body_read_timeout);
    clew_http::read_request_body(body, limit, timeout).await.map_err(|error| {
        let (definition, message, argument) = match error {
            RequestBodyError::TooLarge => {
                (ApiErrorDefinition::BODY_TOO_LARGE, "body-limit", ("limit", limit.to_string()))
            }
            RequestBodyError::TimedOut => {
                (ApiErrorDefinition::REQUEST_TIMEOUT, "body-timeout", ("seconds", timeout.as_secs().to_string()))
            }
            RequestBodyError::Failed(cause) => {
                (ApiErrorDefinition::BAD_REQUEST, "parameter-body", ("reason", cause.to_string()))
            }
        };
        ApiError::with_detail(definition, message, [argument])
    })
}

async fn authenticate_by_token(
    service: &AppState,
    audit_context: &AuditContext,
    token: &str,
) -> Result<AuthenticatedIdentity, ApiError> {
    let view = service.store.open_cached_view().await?;
    let hash = token::hash_token(token);
    let Some(stored) = view.find_token(&hash).await? else {
        return Err(not_authenticated_error("auth-token-unknown", []));
    };
    audit_context.set_domain_id(&stored.user.domain_id);
    audit_context.set_claimed_identity(&stored.user.name);
    if stored.revoked {
        return Err(ApiError::with_detail(ApiErrorDefinition::TOKEN_EXPIRED, "auth-token-revoked", []));
    }
    if stored.expires_at <= Timestamp::now().as_second() {
        let moment = [("moment", format_unix_seconds(stored.expires_at))];
        return Err(ApiError::with_detail(ApiErrorDefinition::TOKEN_EXPIRED, "auth-token-expired", moment));
    }
    let scope = stored.scope_project.clone().map_or(CredentialScope::Domain, CredentialScope::Project);
    let (origin, expires_at) = (stored.origin, stored.expires_at);
    let credential_ref = CredentialRef::Token(Arc::new(ValidToken {
        origin,
        hash,
        expires_at,
        csrf_token: token::derive_csrf_token(token),
    }));
    let (user, credential_kind) = (require_enabled_user(&stored.user)?, CredentialKind::Token);
    Ok(AuthenticatedIdentity { user, scope, credential_kind, credential_ref, expires_at: Some(expires_at), view })
}

struct UnverifiedSignedRequest {
    authorization: AuthorizationHeader,
    key: Arc<AccessKey>,
    view: CachedStoreView,
    failure_counter: AuthFailureCounter,
    has_failures: bool,
}

impl UnverifiedSignedRequest {
    async fn load_from_request(
        service: &AppState,
        audit_context: &AuditContext,
        parts: &Parts,
    ) -> Result<Self, ApiError> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else {
            return Err(not_authenticated_error("auth-token-missing", []));
        };
        let authorization = AuthorizationHeader::parse(header.to_str().unwrap_or_default())?;
        let id = &authorization.access_key;
        audit_context.set_claimed_identity(id.as_str());
        let view = service.store.open_cached_view().await?;
        let Some(key) = view.find_access_key(id).await? else {
            return Err(not_authenticated_error("auth-key-unknown", [("key", id.to_string())]));
        };
        audit_context.set_domain_id(&key.user.domain_id);
        let (name, peer) = (["key:", id.as_str()].concat(), limits::client_ip(&parts.extensions));
        let failure_counter =
            auth_attempts::find_auth_failure_counter(&service.store, name, Some(&key.user.id), peer).await?;
        let has_failures = match view.lockout_state(&failure_counter.name).await? {
            LockoutState::Locked => return Err(not_authenticated_error("auth-key-locked", [])),
            state => state == LockoutState::HasFailures,
        };
        Ok(Self { authorization, key, view, failure_counter, has_failures })
    }

    /// Checks the signature first, so that clients without the secret key cannot detect that an access key is disabled.
    async fn verify_signature(
        self,
        service: &AppState,
        parts: &Parts,
        body: &[u8],
    ) -> Result<AuthenticatedIdentity, ApiError> {
        let mut headers = Vec::with_capacity(parts.headers.len());
        headers.extend(
            parts
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?))),
        );
        let request = RequestToSign {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body_sha256: signature::hash_body(body),
        };
        let coverage = service.settings.signature_coverage;
        let verified =
            signature::verify_signature(&self.authorization, &request, &self.key.secret, Timestamp::now(), coverage);
        if verified == Err(SignatureError::Mismatch) {
            Box::pin(service.store.lockouts().record_auth_failure(&self.failure_counter.name)).await?;
        }
        verified?;
        let scope = match &self.key.temporary {
            None if parts.headers.contains_key(SECURITY_TOKEN_HEADER) => {
                return Err(not_authenticated_error("auth-security-token-unwanted", []));
            }
            None => CredentialScope::AccessKey,
            Some(temporary) => Box::pin(self.check_security_token(service, temporary, parts)).await?,
        };
        if self.has_failures {
            Box::pin(service.store.lockouts().clear_auth_failures(&self.failure_counter.name)).await?;
        }
        let credential_kind = match &self.key.temporary {
            Some(_) => CredentialKind::TemporaryKey,
            None if self.key.enabled => CredentialKind::AccessKey,
            None => return Err(not_authenticated_error("auth-key-inactive", [("key", self.key.id.to_string())])),
        };
        let user = require_enabled_user(&self.key.user)?;
        if let Err(error) = service.store.identities().record_access_key_use(&self.key).await {
            // The last-used timestamp is informational, so failing to update it does not fail the request.
            warn!(%error, "cannot record the last use of an access key");
        }
        if !self.failure_counter.is_address_recently_recorded {
            let peer = limits::client_ip(&parts.extensions);
            Box::pin(auth_attempts::record_client_address(&service.store, &user.id, peer)).await;
        }
        let (credential_ref, expires_at) =
            (CredentialRef::Key(self.key.id.clone()), self.key.temporary.as_ref().map(|key| key.expires_at));
        Ok(AuthenticatedIdentity { user, scope, credential_kind, credential_ref, expires_at, view: self.view })
    }

    /// The request signature must cover the `X-Security-Token` header (TaurusDB API spec, section 8.1).
    async fn check_security_token(
        &self,
        service: &AppState,
        temporary: &TemporaryAccessKeyValidity,
        parts: &Parts,
    ) -> Result<CredentialScope, ApiError> {
        let Some(given) = parts.headers.get(SECURITY_TOKEN_HEADER).and_then(|token| token.to_str().ok()) else {
            return Err(not_authenticated_error("auth-security-token-missing", []));
        };
        if !self.authorization.signed_headers.iter().any(|name| name == SECURITY_TOKEN_HEADER) {
            return Err(SignatureError::NotSigned(SECURITY_TOKEN_HEADER.to_owned()).into());
        }
        let scope = token::parse_security_token_scope(given);
        let is_match = bool::from(token::hash_token(given).ct_eq(&temporary.token_hash));
        let Some(scope) = scope.filter(|_| is_match) else {
            Box::pin(service.store.lockouts().record_auth_failure(&self.failure_counter.name)).await?;
            return Err(not_authenticated_error("auth-security-token-wrong", []));
        };
        if temporary.revoked {
            return Err(not_authenticated_error("auth-key-revoked", []));
        }
        if temporary.expires_at <= Timestamp::now().as_second() {
            let moment = [("moment", format_unix_seconds(temporary.expires_at))];
            return Err(not_authenticated_error("auth-key-expired", moment));
        }
        Ok(scope)
    }
}

impl From<SignatureError> for ApiError {
    fn from(error: SignatureError) -> Self {
        not_authenticated_error("auth-signature", [("reason", error.to_string())])
    }
}

fn require_enabled_user(user: &Arc<User>) -> Result<Arc<User>, ApiError> {
    if user.enabled { Ok(user.clone()) } else { Err(not_authenticated_error("auth-user-disabled", [])) }
}

async fn build_principal(service: &AppState, identity: &AuthenticatedIdentity) -> Result<Principal, ApiError> {
    let AuthenticatedIdentity { user, scope, view, .. } = identity;
    Ok(Principal {
        grants: service.policy_cache.get_or_load(&service.store, view, &user.id).await?,
        user_id: user.id.clone(),
        user_name: user.name.clone(),
        domain_id: user.domain_id.clone(),
        domain_name: user.domain_name.clone(),
        scope: scope.clone(),
        administrator: user.administrator,
        budget: service.limits.create_policy_evaluation_budget(&identity.user.id),
    })
}

fn format_unix_seconds(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |moment| moment.to_string())
}

fn not_authenticated_error(id: &'static str, arguments: impl IntoIterator<Item = (&'static str, String)>) -> ApiError {
    ApiError::with_detail(ApiErrorDefinition::NOT_AUTHENTICATED, id, arguments)
}
