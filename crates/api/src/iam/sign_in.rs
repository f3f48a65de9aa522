//! Parses sign-in requests, which contain `auth.identity` and `auth.scope` (TaurusDB API spec, section 3.2).

use clew_model::ApiErrorDefinition;
use secrecy::SecretString;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::ApiError;

#[derive(Debug)]
pub(super) struct PasswordSignInRequest {
    pub(super) user: UserRef,
    pub(super) password: SecretString,
    pub(super) scope: RequestedTokenScope,
}

#[derive(Debug)]
pub(crate) enum UserRef {
    Id(String),
    Name { domain: String, user: String },
}

#[derive(Debug)]
pub(super) enum RequestedTokenScope {
    Project { project: ProjectRef, domain: DomainRef },
    Domain(DomainRef),
    Unscoped,
}

#[derive(Debug)]
pub(super) enum ProjectRef {
    Id(String),
    Name(String),
}

/// A missing field matches any domain.
#[derive(Debug, Default)]
pub(super) struct DomainRef {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

impl PasswordSignInRequest {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| ApiError::new(ApiErrorDefinition::IAM_INVALID_BODY))?;
        let methods = body
            .pointer("/auth/identity/methods")
            .ok_or_else(|| missing_sign_in_field_error("auth.identity.methods"))?;
        if *methods != json!(["password"]) {
            return Err(ApiError::with_detail(ApiErrorDefinition::IAM_INVALID_BODY, "iam-methods", []));
        }
        let text = |pointer: &str, name: &'static str| match body.pointer(pointer) {
            Some(Value::String(text)) => Ok(text.clone()),
            None => Err(missing_sign_in_field_error(name)),
            Some(_) => Err(ApiError::new(ApiErrorDefinition::IAM_INVALID_BODY)),
        };
        let user = match body.pointer("/auth/identity/password/user/id") {
            Some(_) => UserRef::Id(text("/auth/identity/password/user/id", "auth.identity.password.user.id")?),
            None => UserRef::Name {
                user: text("/auth/identity/password/user/name", "auth.identity.password.user.name")?,
                domain: text("/auth/identity/password/user/domain/name", "auth.identity.password.user.domain.name")?,
            },
        };
        let password = text("/auth/identity/password/user/password", "auth.identity.password.user.password")?.into();
        Ok(Self { user, password, scope: RequestedTokenScope::parse(body.pointer("/auth/scope"))? })
    }
}

impl RequestedTokenScope {
    /// If both a project and a domain are given, the project takes precedence.
    fn parse(scope: Option<&Value>) -> Result<Self, ApiError> {
        let Some(scope) = scope else { return Ok(Self::Unscoped) };
        let text = |pointer: &str| match scope.pointer(pointer) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ApiError::new(ApiErrorDefinition::IAM_INVALID_BODY)),
        };
        if scope.get("project").is_some() {
            let domain = DomainRef { id: text("/project/domain/id")?, name: text("/project/domain/name")? };
            return match (text("/project/id")?, text("/project/name")?) {
                (Some(id), _) => Ok(Self::Project { project: ProjectRef::Id(id), domain }),
                (None, Some(name)) => Ok(Self::Project { project: ProjectRef::Name(name), domain }),
                (None, None) => Err(missing_sign_in_field_error("auth.scope.project.id")),
            };
        }
        if scope.get("domain").is_some() {
            return match (text("/domain/id")?, text("/domain/name")?) {
                (None, None) => Err(missing_sign_in_field_error("auth.scope.domain.id")),
                (id, name) => Ok(Self::Domain(DomainRef { id, name })),
            };
        }
        Err(missing_sign_in_field_error("auth.scope.project"))
    }
}

pub(crate) fn missing_sign_in_field_error(field: &'static str) -> ApiError {
    ApiError::with_detail(ApiErrorDefinition::IAM_MISSING_FIELD, "iam-field", [("field", field.into())])
}

/// A sign-in request.
#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of the body; the handler parses it field by field for exact errors")]
pub(crate) struct TokenRequest {
    auth: TokenRequestAuth,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestAuth {
    identity: TokenRequestIdentity,
    /// Scope of the token; defaults to the domain
    scope: Option<TokenRequestScope>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestIdentity {
    /// Authentication methods; must contain only `password`
    #[schema(min_items = 1, max_items = 1, example = json!(["password"]))]
    methods: Vec<String>,
    password: TokenRequestPassword,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestPassword {
    user: TokenRequestUser,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestUser {
    /// User id, as an alternative to the user name and domain
    id: Option<String>,
    name: Option<String>,
    password: String,
    domain: Option<TokenRequestDomain>,
}

/// A domain, by id or name.
#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestDomain {
    id: Option<String>,
    name: Option<String>,
}

/// Requested token scope. If both a project and a domain are specified, the project takes precedence.
#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestScope {
    project: Option<TokenRequestProject>,
    domain: Option<TokenRequestDomain>,
}

/// A project, by id or name.
#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a part of the body")]
struct TokenRequestProject {
    id: Option<String>,
    name: Option<String>,
    domain: Option<TokenRequestDomain>,
}
