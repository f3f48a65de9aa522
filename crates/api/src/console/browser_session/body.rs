//! Request bodies of the browser session routes.

use clew_model::ApiErrorDefinition;
use secrecy::SecretString;
use utoipa::ToSchema;

use crate::body::JsonBody;
use crate::error::ApiError;
use crate::iam::sign_in::UserRef;

/// Credentials for a sign-in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct SignInBody {
    /// Name of the domain
    domain: String,
    /// Name of the user
    user: String,
    password: String,
}

/// Scope of a session.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body, which is read field by field to name what is wrong")]
pub(crate) struct SessionScopeRequest {
    /// Project to switch to; null switches to the domain, which contains identities, policies and the audit log
    #[schema(required)]
    project_id: Option<String>,
}

pub(super) struct SignInRequest {
    pub(super) user: UserRef,
    pub(super) password: SecretString,
}

pub(super) fn parse_sign_in_request(body: &[u8]) -> Result<SignInRequest, ApiError> {
    let body = JsonBody::parse(body, &["domain", "user", "password"])?;
    let missing = || {
        ApiError::with_detail(ApiErrorDefinition::IAM_MISSING_FIELD, "iam-field", vec![("field", "password".into())])
    };
    let password = body.get_secret("password")?.ok_or_else(missing)?;
    Ok(SignInRequest {
        user: UserRef::Name { domain: body.get_required("domain")?, user: body.get_required("user")? },
        password,
    })
}

pub(super) fn parse_session_scope(body: &[u8]) -> Result<Option<String>, ApiError> {
    JsonBody::parse(body, &["project_id"])?.get("project_id")
}
