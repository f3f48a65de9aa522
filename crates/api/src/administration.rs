//! Administration API for a domain: projects, users, groups, access keys, policies and the audit log.
//!
//! A caller can access only the projects, users, groups, access keys and policies of the caller's own domain.
//! A request for an object in another domain returns 404, as if the object did not exist.
//!
//! Read requests require [`Action::LIST_IDENTITIES`], or [`Action::READ_AUDIT`] for the audit log.
//! Write requests require [`Action::MANAGE_IDENTITIES`], except that users manage their own access keys and password.
//! `MANAGE_IDENTITIES` effectively grants every permission in the domain because it allows attaching any policy.
//! Only administrators can change an administrator's account.

mod access_keys;
mod audit;
mod field_validation;
mod groups;
mod policies;
mod policy_attachments;
mod policy_simulation;
mod projects;
mod users;

use clew_iam::decision::{Action, Resource, check_credential_scope};
use clew_model::{ApiErrorDefinition, AuditOrigin, DomainId};
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::SharedState;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::field_errors::truncate_for_message;

pub(crate) fn administration_routes() -> OpenApiRouter<SharedState> {
    OpenApiRouter::new()
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::update_project))
        .routes(routes!(projects::list_enterprise_projects, projects::create_enterprise_project))
        .routes(routes!(projects::update_enterprise_project))
        .routes(routes!(users::list_users, users::create_user))
        .routes(routes!(users::show_user, users::update_user, users::delete_user))
        .routes(routes!(users::change_own_password))
        .routes(routes!(access_keys::list_access_keys, access_keys::create_access_key))
        .routes(routes!(access_keys::update_access_key, access_keys::delete_access_key))
        .routes(routes!(groups::list_groups, groups::create_group))
        .routes(routes!(groups::show_group, groups::delete_group))
        .routes(routes!(groups::add_group_member, groups::remove_group_member))
        .routes(routes!(policies::list_policies))
        .routes(routes!(policies::policy_validation::validate_policy))
        .routes(routes!(policy_simulation::simulate_request))
        .routes(routes!(policies::show_policy, policies::put_policy, policies::delete_policy))
        .routes(routes!(policy_attachments::list_attachments, policy_attachments::attach_policy))
        .routes(routes!(policy_attachments::detach_policy))
        .routes(routes!(audit::list_audit_rows))
        .routes(routes!(audit::export_audit_log))
        .routes(routes!(audit::verify_audit_log))
}

fn require_identity_read_permission(caller: &Caller) -> Result<&DomainId, ApiError> {
    caller.require_domain_permission(Action::LIST_IDENTITIES)?;
    Ok(&caller.principal.domain_id)
}

fn require_identity_write_permission(caller: &Caller) -> Result<(&DomainId, AuditOrigin), ApiError> {
    caller.require_domain_permission(Action::MANAGE_IDENTITIES)?;
    caller.require_permanent_credentials()?;
    Ok((&caller.principal.domain_id, caller.build_audit_origin()))
}

/// Project-scoped credentials cannot access user accounts, because user accounts belong to the domain.
fn is_own_user_id(caller: &Caller, id: &str) -> bool {
    let resource = Resource { project: None, region: caller.service.store.region(), instance: None, request_tags: &[] };
    id == caller.principal.user_id.as_str()
        && check_credential_scope(&caller.principal, Action::MANAGE_IDENTITIES, &resource).is_ok()
}

/// Prevents callers from gaining administrator privileges by changing an administrator's account.
fn require_administrator(caller: &Caller) -> Result<(), ApiError> {
    if caller.principal.administrator {
        return Ok(());
    }
    Err(ApiError::with_detail(ApiErrorDefinition::IAM_FORBIDDEN_SCOPE, "administrators-only", []))
}

fn not_found_error(target: &'static str, id: &str) -> ApiError {
    let arguments = [("target", target.to_owned()), ("id", truncate_for_message(id))];
    ApiError::with_detail(ApiErrorDefinition::IAM_UNKNOWN, "iam-target", arguments)
}

fn format_rfc3339_timestamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
