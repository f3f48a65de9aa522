//! Signing in with a password (spec section 3.2).

use std::sync::LazyLock;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use clew_iam::{password, token};
use clew_model::{ErrorEntry, ProjectId};
use clew_store::{NewToken, Project, User};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tracing::info;

use crate::Service;
use crate::authentication::read_body;
use crate::query::Query;
use crate::refusal::{ErrorBody, Refusal};

/// Each check of a password takes 19 MiB and a core for a while: strangers must not start many at once.
static CHECKS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Get a token with user name and password, for a project (by id or name) or for the domain.
#[utoipa::path(
    post,
    path = "/v3/auth/tokens",
    tag = "identity",
    security(()),
    params(("nocatalog" = Option<String>, Query, description = "Any text leaves the catalog out")),
    request_body(content = Value, description = "auth.identity.password.user with name, password and domain.name; auth.scope", content_type = "application/json"),
    responses(
        (status = 201, description = "The token is in X-Subject-Token", body = Value),
        (status = 400, description = "A field is missing or wrong", body = ErrorBody),
        (status = 401, description = "User name or password is wrong", body = ErrorBody),
        (status = 403, description = "The scope is not the user's", body = ErrorBody)
    )
)]
pub(crate) async fn create(
    State(service): State<Service>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Refusal> {
    let with_catalog = Query::parse(query.as_deref())?.get("nocatalog").is_none_or(str::is_empty);
    let (parts, body) = request.into_parts();
    let body = read_body(body, &service.settings).await?;
    let asked = SignIn::parse(&body)?;
    let user = check_password(&service, &asked).await?;
    let project = project_of_scope(&service, &user, &asked.scope).await?;
    let issued = Timestamp::now();
    let life = SignedDuration::try_from(service.settings.token_life).map_err(|error| Refusal::internal(&error))?;
    let expires = issued.checked_add(life).map_err(|error| Refusal::internal(&error))?;
    let secret = token::generate().map_err(|error| Refusal::internal(&error))?;
    service
        .store
        .insert_token(&NewToken {
            hash: token::hash(secret.expose_secret()),
            user_id: user.id.clone(),
            scope_project: project.as_ref().map(|project| project.id.clone()),
            issued_at: issued.as_second(),
            expires_at: expires.as_second(),
        })
        .await?;
    forget_old_tokens(&service, issued).await;
    info!(user.id = %user.id, "signed in");
    let catalog = with_catalog.then(|| catalog(&service, &parts.headers, project.as_ref()));
    let body = describe(&user, project.as_ref(), issued, expires, catalog);
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    let value = HeaderValue::from_str(secret.expose_secret()).map_err(|error| Refusal::internal(&error))?;
    response.headers_mut().insert("x-subject-token", value);
    Ok(response)
}

/// What is asked for.
struct SignIn {
    domain: String,
    user: String,
    password: SecretString,
    scope: Scope,
}

enum Scope {
    ProjectId(String),
    ProjectName(String),
    Domain { id: Option<String>, name: Option<String> },
    Unscoped,
}

impl SignIn {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Refusal::new(ErrorEntry::IAM_INVALID_BODY))?;
        let methods = body.pointer("/auth/identity/methods").ok_or_else(|| missing("auth.identity.methods"))?;
        if *methods != json!(["password"]) {
            return Err(Refusal::because(ErrorEntry::IAM_INVALID_BODY, "iam-methods", Vec::new()));
        }
        let text = |pointer: &str, name: &'static str| match body.pointer(pointer) {
            Some(Value::String(text)) => Ok(text.clone()),
            None => Err(missing(name)),
            Some(_) => Err(Refusal::new(ErrorEntry::IAM_INVALID_BODY)),
        };
        Ok(Self {
            user: text("/auth/identity/password/user/name", "auth.identity.password.user.name")?,
            password: text("/auth/identity/password/user/password", "auth.identity.password.user.password")?.into(),
            domain: text("/auth/identity/password/user/domain/name", "auth.identity.password.user.domain.name")?,
            scope: Scope::parse(body.pointer("/auth/scope"))?,
        })
    }
}

impl Scope {
    /// A project wins over a domain.
    fn parse(scope: Option<&Value>) -> Result<Self, Refusal> {
        let Some(scope) = scope else { return Ok(Self::Unscoped) };
        let text = |pointer: &str| scope.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        if scope.get("project").is_some() {
            return match (text("/project/id"), text("/project/name")) {
                (Some(id), _) => Ok(Self::ProjectId(id)),
                (None, Some(name)) => Ok(Self::ProjectName(name)),
                (None, None) => Err(missing("auth.scope.project.id")),
            };
        }
        if scope.get("domain").is_some() {
            return match (text("/domain/id"), text("/domain/name")) {
                (None, None) => Err(missing("auth.scope.domain.id")),
                (id, name) => Ok(Self::Domain { id, name }),
            };
        }
        Err(missing("auth.scope.project"))
    }
}

fn missing(field: &'static str) -> Refusal {
    Refusal::because(ErrorEntry::IAM_MISSING_FIELD, "iam-field", vec![("field", field.into())])
}

/// Takes as long for a user that is not there as for a wrong password, and says the same.
async fn check_password(service: &Service, asked: &SignIn) -> Result<User, Refusal> {
    let user = service.store.user_by_name(&asked.domain, &asked.user).await?;
    let _turn = CHECKS.acquire().await.map_err(|error| Refusal::internal(&error))?;
    let given = asked.password.clone();
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let checked = tokio::task::spawn_blocking(move || {
        if let Some(hash) = hash {
            return password::verify(&given, &hash);
        }
        password::verify_against_nothing(&given);
        false
    });
    let right = checked.await.map_err(|error| Refusal::internal(&error))?;
    user.filter(|user| right && user.enabled).ok_or_else(|| Refusal::new(ErrorEntry::IAM_WRONG_PASSWORD))
}

async fn project_of_scope(service: &Service, user: &User, scope: &Scope) -> Result<Option<Project>, Refusal> {
    let forbidden = || Refusal::because(ErrorEntry::IAM_FORBIDDEN_SCOPE, "iam-scope", Vec::new());
    let project = match scope {
        Scope::Unscoped => return Ok(None),
        Scope::Domain { id, name } => {
            let own = id.as_ref().is_none_or(|id| id == user.domain_id.as_str())
                && name.as_ref().is_none_or(|name| *name == user.domain_name);
            return if own { Ok(None) } else { Err(forbidden()) };
        }
        Scope::ProjectId(id) => {
            let id: ProjectId = id.parse().map_err(|_| forbidden())?;
            service.store.project(&id).await?
        }
        Scope::ProjectName(name) => service.store.project_by_name(&user.domain_id, name).await?,
    };
    project.filter(|project| project.enabled && project.domain_id == user.domain_id).map(Some).ok_or_else(forbidden)
}

/// A day after its end a token is forgotten: until then "expired" can be told from "unknown".
async fn forget_old_tokens(service: &Service, now: Timestamp) {
    if let Err(error) = service.store.remove_tokens_expired_before(now.as_second() - 24 * 3600).await {
        tracing::warn!(%error, "could not remove old tokens");
    }
}

fn describe(
    user: &User,
    project: Option<&Project>,
    issued: Timestamp,
    expires: Timestamp,
    catalog: Option<Value>,
) -> Value {
    let domain = json!({ "id": user.domain_id, "name": user.domain_name });
    let moment = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    let mut token = Map::from_iter([
        ("expires_at".to_owned(), json!(moment(expires))),
        ("issued_at".to_owned(), json!(moment(issued))),
        ("methods".to_owned(), json!(["password"])),
        ("roles".to_owned(), json!([])),
        ("user".to_owned(), json!({ "id": user.id, "name": user.name, "password_expires_at": "", "domain": domain })),
    ]);
    match project {
        Some(project) => {
            let project = json!({ "id": project.id, "name": project.name, "domain": domain });
            token.insert("project".to_owned(), project);
        }
        None => {
            token.insert("domain".to_owned(), domain);
        }
    }
    if let Some(catalog) = catalog {
        token.insert("catalog".to_owned(), catalog);
    }
    json!({ "token": token })
}

/// Where the services are: here, under the name by which the client reached this.
fn catalog(service: &Service, headers: &HeaderMap, project: Option<&Project>) -> Value {
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let region = service.store.region();
    let entry = |name: &str, url: String| {
        let endpoint = json!({ "id": name, "interface": "public", "region": region, "region_id": region, "url": url });
        json!({ "type": name, "name": name, "id": name, "endpoints": [endpoint] })
    };
    let mut entries = vec![entry("iam", format!("http://{host}/v3"))];
    entries.extend(project.map(|project| entry("gaussdb", format!("http://{host}/v3/{}", project.id))));
    Value::Array(entries)
}
