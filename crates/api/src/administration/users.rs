//! Users of the domain, and their passwords.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use clew_iam::password;
use clew_store::{NewUser, User, UserChange};
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::{changer, fields, need_administrator, not_found, reader};
use crate::body::Body;
use crate::caller::Caller;
use crate::json::Json;
use crate::page::{self, PageParameters};
use crate::refusal::{ErrorBody, Refusal};
use crate::{Service, passwords};

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPage {
    users: Vec<UserView>,
    total_count: u64,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: String,
    name: String,
    description: String,
    /// Whether they may sign in
    enabled: bool,
    /// Whether they may do everything in the domain, whatever the policies say
    administrator: bool,
}

/// A user who was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedUser {
    #[serde(flatten)]
    user: UserView,
    /// The password, if it was made too. It is shown this once
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// A user to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct UserCreation {
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    name: String,
    /// Not the name; without one, one is made
    #[schema(min_length = 8, max_length = 128)]
    password: Option<String>,
    /// Whether they may do everything in the domain, whatever the policies say
    #[schema(default = false)]
    administrator: Option<bool>,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// What to change; what is left out stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct UserUpdate {
    /// Not the name. Ends the tokens and temporary keys of the user
    #[schema(min_length = 8, max_length = 128)]
    password: Option<String>,
    /// Whether they may sign in
    enabled: Option<bool>,
    /// Whether they may do everything in the domain, whatever the policies say
    administrator: Option<bool>,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// List the users of the domain.
#[utoipa::path(get, path = "/clew/v1/users", tag = "administration", params(PageParameters),
    responses((status = 200, description = "A page of users, by name", body = UserPage)))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<UserPage>, Refusal> {
    let domain = reader(&service, &caller)?;
    let page = page::asked(query.as_deref())?;
    let (users, total_count) = page::cut(service.store.users_of(domain).await?, page, view);
    Ok(Json(UserPage { users, total_count }))
}

/// Make a user.
#[utoipa::path(post, path = "/clew/v1/users", tag = "administration",
    request_body(content = UserCreation, content_type = "application/json"),
    responses(
        (status = 201, description = "The user", body = CreatedUser),
        (status = 409, description = "There is one of this name", body = ErrorBody)
    ))]
pub(crate) async fn create(
    State(service): State<Service>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<CreatedUser>), Refusal> {
    let (domain, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["name", "password", "administrator", "description"])?;
    let (name, description) = (fields::name(&body)?, fields::description(&body)?.unwrap_or_default());
    let administrator = body.get("administrator")?.unwrap_or(false);
    if administrator {
        need_administrator(&caller)?;
    }
    let chosen = chosen_password(&body, &name)?;
    let is_made = chosen.is_none();
    let password = match chosen {
        Some(chosen) => chosen,
        None => password::generate().map_err(|error| Refusal::internal(&error))?,
    };
    let password_hash = passwords::hash(password.clone()).await?;
    let new = NewUser { name, password_hash, administrator, description };
    let id = service.store.create_user(&origin, domain, &new).await?;
    let created = CreatedUser {
        user: view(find(&service, &caller, id.as_str()).await?),
        password: is_made.then(|| password.expose_secret().to_owned()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Show a user.
#[utoipa::path(get, path = "/clew/v1/users/{user_id}", tag = "administration", params(("user_id" = String, Path)),
    responses((status = 200, description = "The user", body = UserView)))]
pub(crate) async fn show(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<UserView>, Refusal> {
    reader(&service, &caller)?;
    Ok(Json(view(find(&service, &caller, &id).await?)))
}

/// Change a user.
#[utoipa::path(patch, path = "/clew/v1/users/{user_id}", tag = "administration", params(("user_id" = String, Path)),
    request_body(content = UserUpdate, content_type = "application/json"),
    responses(
        (status = 200, description = "The user", body = UserView),
        (status = 409, description = "It is the last administrator", body = ErrorBody)
    ))]
pub(crate) async fn update(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<UserView>, Refusal> {
    let (_, origin) = changer(&service, &caller)?;
    let body = Body::parse(&body, &["password", "enabled", "administrator", "description"])?;
    let mut change = UserChange {
        password_hash: None,
        enabled: body.get("enabled")?,
        administrator: body.get("administrator")?,
        description: fields::description(&body)?,
    };
    let user = find(&service, &caller, &id).await?;
    if user.administrator || change.administrator.is_some() {
        need_administrator(&caller)?;
    }
    if let Some(chosen) = chosen_password(&body, &user.name)? {
        change.password_hash = Some(passwords::hash(chosen).await?);
    }
    service.store.update_user(&origin, &user.id, &change).await?;
    Ok(Json(view(find(&service, &caller, &id).await?)))
}

/// Remove a user with their keys, tokens and memberships.
#[utoipa::path(delete, path = "/clew/v1/users/{user_id}", tag = "administration", params(("user_id" = String, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 409, description = "It is the last administrator", body = ErrorBody)
    ))]
pub(crate) async fn remove(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let (_, origin) = changer(&service, &caller)?;
    let user = find(&service, &caller, &id).await?;
    if user.administrator {
        need_administrator(&caller)?;
    }
    service.store.remove_user(&origin, &user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user of the caller's domain.
pub(super) async fn find(service: &Service, caller: &Caller, id: &str) -> Result<User, Refusal> {
    let found = match id.parse() {
        Ok(id) => service.store.user(&id).await?,
        Err(_) => None,
    };
    found.filter(|found| found.domain_id == caller.principal.domain_id).ok_or_else(|| not_found("user", id))
}

fn chosen_password(body: &Body, user: &str) -> Result<Option<SecretString>, Refusal> {
    let Some(chosen) = body.secret("password")? else { return Ok(None) };
    fields::check_password(user, &chosen)?;
    Ok(Some(chosen))
}

fn view(user: User) -> UserView {
    UserView {
        id: user.id.to_string(),
        name: user.name,
        description: user.description,
        enabled: user.enabled,
        administrator: user.administrator,
    }
}
