//! Signing in with a password (spec section 3.2).

use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use clew_model::{ErrorEntry, ProjectId};
use clew_store::{Project, TokenOrigin, User};
use http::{HeaderValue, StatusCode};
use secrecy::ExposeSecret;
use tracing::info;

use crate::audit::Trail;
use crate::authentication::read_body;
use crate::connection::Connection;
use crate::iam::check_password::check_password;
use crate::iam::issue::{NewlyIssued, issue, scope_in_words};
use crate::iam::sign_in::{OfDomain, Scope, SignIn, TokenRequest, Which};
use crate::iam::token_answer::{Facts, Reached, TokenAnswer};
use crate::json::Json;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};
use crate::{Service, grants, limits};

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
    let user = check_password(&service, &trail, limits::peer(&parts.extensions), &asked.who, asked.password).await?;
    let project = project_of_scope(&service, &user, &asked.scope).await?;
    let NewlyIssued { secret, methods, issued_at, expires_at } =
        issue(&service, &user, project.as_ref(), TokenOrigin::Api, "password", None).await?;
    info!(user.id = %user.id, "signed in");
    trail.detail("scope", scope_in_words(project.as_ref()));
    let grants = grants::read(&service.store, &user.id).await?;
    let facts = Facts { user: &user, project: project.as_ref(), grants: &grants, methods, issued_at, expires_at };
    let reached = Reached::by(parts.extensions.get::<Connection>(), &parts.headers);
    let answer = TokenAnswer::new(&service, facts, with_catalog.then_some(&reached))?;
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    let value = HeaderValue::from_str(secret.expose_secret()).map_err(|error| Refusal::internal(&error))?;
    response.headers_mut().insert("x-subject-token", value);
    Ok(response)
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
