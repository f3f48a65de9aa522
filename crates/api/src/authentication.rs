//! Who is asking: a token in `X-Auth-Token`, or a signature of an access key (spec section 8.1).

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use clew_iam::decision::{Principal, Scope};
use clew_iam::signature::{self, Authorization, RequestToSign, SignatureError};
use clew_iam::token;
use clew_model::ErrorEntry;
use clew_store::{AccessKey, User};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::refusal::Refusal;
use crate::{ApiSettings, Service, limits};

/// Lets a request through once it is known who asks. The handler finds a [`Principal`], and the body read whole.
pub(crate) async fn authenticate(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let peer = limits::peer(&parts.extensions);
    peer.map_or(Ok(()), |peer| service.limits.before_authentication(peer))?;
    let identified = identify(&service, &parts, body).await;
    if let (Some(peer), Err(refusal)) = (peer, &identified)
        && refusal.status() == StatusCode::UNAUTHORIZED
    {
        service.limits.authentication_failed(peer);
    }
    let (principal, body) = identified?;
    service.limits.principal(&principal.user_id)?;
    parts.extensions.insert(principal);
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// Who asks, and what. A stranger's body is not read: many of them would fill the memory.
async fn identify(service: &Service, parts: &Parts, body: Body) -> Result<(Principal, Bytes), Refusal> {
    if let Some(token) = parts.headers.get("x-auth-token") {
        let principal = by_token(service, token.to_str().unwrap_or_default()).await?;
        return Ok((principal, read_body(body, &service.settings).await?));
    }
    let signed = Signed::find(service, parts).await?;
    let body = read_body(body, &service.settings).await?;
    Ok((signed.verify(parts, &body)?, body))
}

/// A body within the limits of size and time.
pub(crate) async fn read_body(body: Body, settings: &ApiSettings) -> Result<Bytes, Refusal> {
    let limit = settings.body_limit;
    let too_large = || Refusal::because(ErrorEntry::BODY_TOO_LARGE, "body-limit", vec![("limit", limit.to_string())]);
    // A length that was told need not be waited for.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let Ok(collected) = timeout(settings.body_read, Limited::new(body, limit).collect()).await else {
        let seconds = vec![("seconds", settings.body_read.as_secs().to_string())];
        return Err(Refusal::because(ErrorEntry::REQUEST_TIMEOUT, "body-timeout", seconds));
    };
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            Err(Refusal::because(ErrorEntry::BAD_REQUEST, "parameter-body", vec![("reason", error.to_string())]))
        }
    }
}

async fn by_token(service: &Service, token: &str) -> Result<Principal, Refusal> {
    let Some(stored) = service.store.token(&token::hash(token)).await? else {
        return Err(not_authenticated("auth-token-unknown", Vec::new()));
    };
    if stored.expires_at <= Timestamp::now().as_second() {
        let moment =
            Timestamp::from_second(stored.expires_at).map_or_else(|_| String::new(), |moment| moment.to_string());
        return Err(Refusal::because(ErrorEntry::TOKEN_EXPIRED, "auth-token-expired", vec![("moment", moment)]));
    }
    principal(stored.user, stored.scope_project.map_or(Scope::Domain, Scope::Project))
}

/// A signature that names a known key, not yet verified.
struct Signed {
    authorization: Authorization,
    key: AccessKey,
}

impl Signed {
    async fn find(service: &Service, parts: &Parts) -> Result<Self, Refusal> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else {
            return Err(not_authenticated("auth-token-missing", Vec::new()));
        };
        let authorization = Authorization::parse(header.to_str().unwrap_or_default())?;
        let Some(key) = service.store.access_key(&authorization.access_key).await?.filter(|key| key.enabled) else {
            let key = authorization.access_key.to_string();
            return Err(not_authenticated("auth-key-unknown", vec![("key", key)]));
        };
        Ok(Self { authorization, key })
    }

    fn verify(self, parts: &Parts, body: &[u8]) -> Result<Principal, Refusal> {
        let headers: Vec<_> = parts
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), std::str::from_utf8(value.as_bytes()).ok()?.to_owned()))
            })
            .collect();
        let request = RequestToSign {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &headers,
            body_sha256: signature::body_sha256(body),
        };
        signature::verify(&self.authorization, &request, &self.key.secret, Timestamp::now())?;
        principal(self.key.user, Scope::AccessKey)
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        not_authenticated("auth-signature", vec![("reason", error.to_string())])
    }
}

fn principal(user: User, scope: Scope) -> Result<Principal, Refusal> {
    if !user.enabled {
        return Err(not_authenticated("auth-user-disabled", Vec::new()));
    }
    Ok(Principal {
        user_id: user.id,
        user_name: user.name,
        domain_id: user.domain_id,
        domain_name: user.domain_name,
        scope,
        administrator: true,
        grants: Arc::default(),
    })
}

fn not_authenticated(id: &'static str, arguments: Vec<(&'static str, String)>) -> Refusal {
    Refusal::because(ErrorEntry::NOT_AUTHENTICATED, id, arguments)
}
