//! Signing in with a password (spec section 3.2).

use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use clew_iam::token;
use clew_model::{ErrorEntry, ProjectId};
use clew_store::{NewToken, Project, User};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tracing::info;

use crate::audit::Trail;
use crate::authentication::read_body;
use crate::connection::Connection;
use crate::iam::one_at_a_time;
use crate::iam::sign_in::{OfDomain, Scope, SignIn, TokenRequest, Which, Who};
use crate::iam::token_answer::{Facts, Reached, TokenAnswer};
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use crate::{Service, grants, passwords};

/// Get a token with user name and password, for a project (by id or name) or for the domain.
#[utoipa::path(
    post,
    path = "/v3/auth/tokens",
    tag = "identity",
    security(()),
    params(("nocatalog" = Option<String>, Query, description = "Any text leaves the catalog out")),
    request_body(content = TokenRequest, content_type = "application/json"),
    responses(
        (status = 201, description = "The token is in X-Subject-Token", body = TokenAnswer, headers(("X-Subject-Token" = String))),
        (status = 400, description = "A field is missing or wrong", body = ErrorBody),
        (status = 401, description = "User name or password is wrong, or the user is locked", body = ErrorBody),
        (status = 403, description = "The scope is not the user's", body = ErrorBody)
    )
)]
pub(crate) async fn create(
    State(service): State<Service>,
    Extension(trail): Extension<Trail>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Refusal> {
    let with_catalog = Query::parse(query.as_deref())?.get("nocatalog").is_none_or(str::is_empty);
    let (parts, body) = request.into_parts();
    let asked = SignIn::parse(&read_body(body, &service.settings).await?)?;
    let user = check_password(&service, &trail, &asked).await?;
    let project = project_of_scope(&service, &user, &asked.scope).await?;
    let issued_at = Timestamp::now().as_second();
    let life = i64::try_from(service.settings.token_life.as_secs()).map_err(|error| Refusal::internal(&error))?;
    let expires_at = issued_at.saturating_add(life);
    let secret = token::generate().map_err(|error| Refusal::internal(&error))?;
    let methods = vec!["password".to_owned()];
    service
        .store
        .insert_token(&NewToken {
            hash: token::hash(secret.expose_secret()),
            user_id: user.id.clone(),
            scope_project: project.as_ref().map(|project| project.id.clone()),
            issued_by_methods: methods.clone(),
            issued_at,
            expires_at,
        })
        .await?;
    forget_old_tokens(&service, issued_at).await;
    info!(user.id = %user.id, "signed in");
    trail.detail("scope", project.as_ref().map_or("domain".to_owned(), |project| format!("project {}", project.id)));
    let grants = grants::read(&service.store, &user.id).await?;
    let facts = Facts { user: &user, project: project.as_ref(), grants: &grants, methods, issued_at, expires_at };
    let reached = Reached::by(parts.extensions.get::<Connection>(), &parts.headers);
    let answer = TokenAnswer::new(&service, facts, with_catalog.then_some(&reached))?;
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    let value = HeaderValue::from_str(secret.expose_secret()).map_err(|error| Refusal::internal(&error))?;
    response.headers_mut().insert("x-subject-token", value);
    Ok(response)
}

/// Takes as long for a user that is not there as for a wrong password, and says the same. So it does of a lock: names that nobody has
/// are locked too.
async fn check_password(service: &Service, trail: &Trail, asked: &SignIn) -> Result<User, Refusal> {
    let user = match &asked.who {
        Who::Id(id) => match id.parse() {
            Ok(id) => service.store.user(&id).await?,
            Err(_) => None,
        },
        Who::Name { domain, user } => service.store.user_by_name(domain, user).await?,
    };
    let subject = match (&user, &asked.who) {
        (Some(user), _) => format!("user:{}/{}", user.domain_name, user.name),
        (None, Who::Name { domain, user }) => format!("user:{domain}/{user}"),
        (None, Who::Id(id)) => format!("user:{id}"),
    };
    match (&user, &asked.who) {
        (Some(user), _) => {
            trail.is_about(&user.domain_id);
            trail.claims(&user.name);
            trail.target(&user.name);
        }
        // A name that nobody has is not written down: people type passwords where a name belongs.
        (None, Who::Name { domain, .. }) => {
            let domains = service.store.domains().await?;
            domains.iter().filter(|known| known.name == *domain).for_each(|known| trail.is_about(&known.id));
        }
        (None, Who::Id(_)) => {}
    }
    let _turn = one_at_a_time::turn(&subject).await;
    if service.store.locked_until(&subject).await?.is_some() {
        return Err(Refusal::because(ErrorEntry::IAM_LOCKED, "iam-locked-for", Vec::new()));
    }
    let right = passwords::verify(asked.password.clone(), user.as_ref().map(|user| user.password_hash.clone())).await?;
    let Some(user) = user.filter(|user| right && user.enabled) else {
        service.store.failed(&subject).await?;
        return Err(Refusal::new(ErrorEntry::IAM_WRONG_PASSWORD));
    };
    service.store.succeeded(&subject).await?;
    trail.is(&user);
    Ok(user)
}

async fn project_of_scope(service: &Service, user: &User, scope: &Scope) -> Result<Option<Project>, Refusal> {
    let forbidden = || Refusal::because(ErrorEntry::IAM_FORBIDDEN_SCOPE, "iam-scope", Vec::new());
    let is_own = |domain: &OfDomain| {
        domain.id.as_ref().is_none_or(|id| id == user.domain_id.as_str())
            && domain.name.as_ref().is_none_or(|name| *name == user.domain_name)
    };
    match scope {
        Scope::Unscoped => Ok(None),
        Scope::Domain(domain) if is_own(domain) => Ok(None),
        Scope::Project { which, domain } if is_own(domain) => {
            let project = match which {
                Which::Id(id) => {
                    let id: ProjectId = id.parse().map_err(|_| forbidden())?;
                    service.store.project(&id).await?
                }
                Which::Name(name) => service.store.project_by_name(&user.domain_id, name).await?,
            };
            let project = project.filter(|project| project.enabled && project.domain_id == user.domain_id);
            project.map(Some).ok_or_else(forbidden)
        }
        Scope::Domain(_) | Scope::Project { .. } => Err(forbidden()),
    }
}

/// A day after its end a token is forgotten: until then "expired" can be told from "unknown".
async fn forget_old_tokens(service: &Service, now: i64) {
    if let Err(error) = service.store.remove_tokens_expired_before(now - 24 * 3600).await {
        tracing::warn!(%error, "could not remove old tokens");
    }
}
