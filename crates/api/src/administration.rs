//! Administration API of a domain: projects, users, groups, access keys, policies and the audit.
//!
//! All routes are limited to the caller's own domain. Objects of other domains return 404, like missing objects.
//!
//! Reads require [`Action::LIST_IDENTITIES`], changes require [`Action::MANAGE_IDENTITIES`].
//! `MANAGE_IDENTITIES` is as powerful as the administrator role: the user can attach any policy to themselves.
//! Nevertheless, only administrators can change administrators.
//!
//! Tokens and temporary keys cannot create objects that outlive them: [`Caller::check_permanent_credentials`].

mod attachments;
mod audit;
mod enterprise_projects;
mod groups;
mod keys;
mod members;
mod own_password;
mod policies;
mod projects;
mod simulate;
mod users;
mod validation;

use clew_iam::decision::{Action, Resource, check_scope};
use clew_model::{DomainId, ErrorEntry, Origin};
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::query::truncate;

/// Routes of the administration API, merged by [`crate::routes`].
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::update))
        .routes(routes!(enterprise_projects::list, enterprise_projects::create))
        .routes(routes!(enterprise_projects::update))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::update, users::remove))
        .routes(routes!(own_password::change))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::update, keys::remove))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::show, groups::remove))
        .routes(routes!(members::add, members::remove))
        .routes(routes!(policies::list))
        .routes(routes!(policies::validate::validate))
        .routes(routes!(simulate::simulate))
        .routes(routes!(policies::show, policies::put, policies::remove))
        .routes(routes!(attachments::list, attachments::attach))
        .routes(routes!(attachments::detach))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(audit::verify))
}

/// Returns the caller's domain. Fails unless the caller may list its identities.
fn require_read<'a>(service: &AppState, caller: &'a Caller) -> Result<&'a DomainId, ApiError> {
    caller.require_domain_action(service, Action::LIST_IDENTITIES)?;
    Ok(&caller.principal.domain_id)
}

/// Returns the caller's domain and audit origin. Fails unless the caller may change identities with these credentials.
fn require_write<'a>(service: &AppState, caller: &'a Caller) -> Result<(&'a DomainId, Origin), ApiError> {
    caller.require_domain_action(service, Action::MANAGE_IDENTITIES)?;
    caller.check_permanent_credentials()?;
    Ok((&caller.principal.domain_id, caller.origin()))
}

/// Returns true if `id` is the caller's user id and the credentials are not limited to a project.
fn is_own_user(service: &AppState, caller: &Caller, id: &str) -> bool {
    let resource = Resource { project: None, region: service.store.region(), instance: None, request_tags: &[] };
    id == caller.principal.user_id.as_str()
        && check_scope(&caller.principal, Action::MANAGE_IDENTITIES, &resource).is_ok()
}

/// Fails unless the caller is an administrator. Prevents privilege escalation through changes of administrators.
fn require_administrator(caller: &Caller) -> Result<(), ApiError> {
    if caller.principal.administrator {
        return Ok(());
    }
    Err(ApiError::with_detail(ErrorEntry::IAM_FORBIDDEN_SCOPE, "administrators-only", Vec::new()))
}

/// Refusal for an object that does not exist or belongs to another domain.
fn not_found(target: &'static str, id: &str) -> ApiError {
    let arguments = vec![("target", target.to_owned()), ("id", truncate(id))];
    ApiError::with_detail(ErrorEntry::IAM_UNKNOWN, "iam-target", arguments)
}

/// Formats a time for responses under `/clew/v1`: `2026-11-24T08:00:00Z`.
fn format_timestamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
