//! Looking at a token and taking it back: `X-Subject-Token` names it (spec section 3.2).

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use clew_iam::decision::Action;
use clew_iam::token;
use clew_model::ErrorEntry;
use clew_store::StoredToken;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use crate::caller::Caller;
use crate::iam::token_answer::{Facts, Reached, TokenAnswer};
use crate::json::Json;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use crate::{Service, grants};

const SUBJECT: &str = "x-subject-token";

/// Show what a token is. Other users' tokens are shown to those who may list identities.
#[utoipa::path(
    get,
    path = "/v3/auth/tokens",
    tag = "identity",
    params(
        ("X-Subject-Token" = String, Header, description = "The token to look at"),
        ("nocatalog" = Option<String>, Query, description = "Any text leaves the catalog out")
    ),
    responses(
        (status = 200, description = "The token is good", body = TokenAnswer, headers(("X-Subject-Token" = String))),
        (status = 400, description = "X-Subject-Token is missing, or a parameter is there twice", body = ErrorBody),
        (status = 404, description = "It is no token, or no longer one, or another's", body = ErrorBody)
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let with_catalog = Query::parse(query.as_deref())?.get("nocatalog").is_none_or(str::is_empty);
    let (given, stored) = subject(&service, &caller, Action::LIST_IDENTITIES, &headers).await?;
    let StoredToken { user, scope_project, issued_by_methods, issued_at, expires_at, .. } = stored;
    let project = match &scope_project {
        Some(id) => service.store.project(id).await?,
        None => None,
    };
    let grants = grants::read(&service.store, &user.id).await?;
    let methods = issued_by_methods;
    let facts = Facts { user: &user, project: project.as_ref(), grants: &grants, methods, issued_at, expires_at };
    let reached = Reached::by(caller.connection.as_ref(), &headers);
    let answer = TokenAnswer::new(&service, facts, with_catalog.then_some(&reached))?;
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(SUBJECT, given);
    Ok(response)
}

/// Take a token back. Other users' tokens are taken back by those who may manage identities.
#[utoipa::path(
    delete,
    path = "/v3/auth/tokens",
    tag = "identity",
    params(("X-Subject-Token" = String, Header, description = "The token to take back")),
    responses(
        (status = 204, description = "It is no longer good"),
        (status = 400, description = "X-Subject-Token is missing", body = ErrorBody),
        (status = 404, description = "It is no token, or no longer one, or another's", body = ErrorBody)
    )
)]
pub(crate) async fn revoke(
    State(service): State<Service>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let (given, _) = subject(&service, &caller, Action::MANAGE_IDENTITIES, &headers).await?;
    service.store.revoke_token(&caller.origin(), &hash(&given)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The token of the header, if it is good and the caller's own, or one of the domain that they may do the action to. Everything else
/// is as unknown as what never was a token.
async fn subject(
    service: &Service,
    caller: &Caller,
    action: Action,
    headers: &HeaderMap,
) -> Result<(HeaderValue, StoredToken), Refusal> {
    let mut given = headers.get_all(SUBJECT).iter();
    let (Some(given), None) = (given.next(), given.next()) else {
        return Err(Refusal::new(ErrorEntry::IAM_SUBJECT_TOKEN));
    };
    let stored = service.store.token(&hash(given)).await?.filter(|stored| {
        let good = !stored.revoked && stored.user.enabled && stored.expires_at > Timestamp::now().as_second();
        let own = stored.user.id == caller.principal.user_id;
        let ours = stored.user.domain_id == caller.principal.domain_id;
        good && (own || ours && caller.domain_action(service, action).is_ok())
    });
    let stored = stored.ok_or_else(|| Refusal::because(ErrorEntry::IAM_UNKNOWN, "iam-no-token", Vec::new()))?;
    Ok((given.clone(), stored))
}

fn hash(token: &HeaderValue) -> [u8; 32] {
    token::hash(token.to_str().unwrap_or_default())
}
