//! Routes for the domain's custom policies and Clew's system policies.

pub(super) mod policy_validation;

use clew_iam::name_rule::POLICY_NAME_RULE;
use clew_iam::policy::{PermissionModel, Policy, PolicyErrors, system_policies};
use clew_model::{ApiErrorDefinition, DomainId};
use clew_store::{PolicyRecord, PolicyRef};
use http::StatusCode;
use policy_validation::{build_diagnostic_views, extract_policy_json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::{
    field_validation, format_rfc3339_timestamp, not_found_error, require_identity_read_permission,
    require_identity_write_permission,
};
use crate::AppState;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::caller::Caller;
use crate::error::{ApiError, PolicyDiagnosticView};
use crate::error_responses::{PolicyNotDeletable, PolicyNotReplaceable};
use crate::query_string::{PageParameters, paginate_list, parse_page_parameters};
use crate::request_body::parse_json_body;

/// A page of policies.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyPage {
    policies: Vec<PolicyView>,
    total_count: u64,
}

/// Policy model.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code, reason = "schema of a field whose type is in another crate")]
pub(crate) enum PermissionModelName {
    Role,
    Identity,
}

/// A policy without its document.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyView {
    name: String,
    /// True for a system policy, which cannot be changed
    system: bool,
    /// Policy model: role for policy versions 1.0 and 1.1, identity for version 5.0
    #[schema(value_type = PermissionModelName)]
    model: PermissionModel,
    description: String,
    /// Time of the last change to the policy; null for a system policy
    updated_at: Option<String>,
}

/// A policy with its document.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyWithDocument {
    #[serde(flatten)]
    policy: PolicyView,
    #[schema(value_type = policy_validation::PolicyDocument)]
    document: Box<RawValue>,
    /// Warnings about the valid document
    warnings: Vec<PolicyDiagnosticView>,
}

/// A policy to create or replace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutPolicyRequest {
    #[schema(value_type = policy_validation::PolicyDocumentInput)]
    document: Box<RawValue>,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// List the custom policies of the domain and the system policies.
#[utoipa::path(get, path = "/clew/v1/policies", tag = "administration", operation_id = "ListPolicies",
    params(PageParameters),
    responses((status = 200, description = "Page of policies: custom policies of the domain, sorted by name, then system policies", body = PolicyPage)))]
pub(crate) async fn list_policies(ApiRequest { service, caller, query, .. }: ApiRequest) -> ApiResult<PolicyPage> {
    let domain = require_identity_read_permission(&caller)?;
    let page = parse_page_parameters(query.as_deref())?;
    let custom = service.store.policies().list_policies(domain).await?.into_iter().map(CustomOrSystemPolicy::Custom);
    let all: Vec<_> = custom.chain(system_policies::SYSTEM_POLICIES.iter().map(CustomOrSystemPolicy::System)).collect();
    let (policies, total_count) = paginate_list(all, page, |policy| policy.build_policy_view());
    Ok(Json(PolicyPage { policies, total_count }))
}

/// Show a policy.
#[utoipa::path(get, path = "/clew/v1/policies/{name}", tag = "administration", operation_id = "ShowPolicy",
    responses((status = 200, description = "The policy", body = PolicyWithDocument)))]
pub(crate) async fn show_policy(request: ApiRequest<String>) -> ApiResult<PolicyWithDocument> {
    let ApiRequest { service, caller, path: name, .. } = request;
    let domain = require_identity_read_permission(&caller)?;
    let resolved = find_policy(&service, domain, &name).await?;
    let parsed = parse_policy_document(&caller, resolved.get_policy_document_text().to_owned()).await?;
    build_policy_response(&resolved, parsed.map(|policy| build_diagnostic_views(policy.warnings())).unwrap_or_default())
}

/// Create or replace a policy.
///
/// An error response lists all errors in the policy document with their positions.
/// Changing a policy revokes the tokens of the affected users.
#[utoipa::path(put, path = "/clew/v1/policies/{name}", tag = "administration", operation_id = "PutPolicy",
    request_body = PutPolicyRequest,
    responses((status = 200, description = "The policy", body = PolicyWithDocument), PolicyNotReplaceable))]
pub(crate) async fn put_policy(request: ApiRequest<String>) -> ApiResult<PolicyWithDocument> {
    let ApiRequest { service, caller, path: name, body, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    if system_policies::find_system_policy(&name).is_some() {
        return Err(immutable_system_policy_error());
    }
    field_validation::check_name(POLICY_NAME_RULE, &name)?;
    let PutPolicyRequest { document, description } = parse_json_body(&body)?;
    let description = field_validation::check_description(description)?.unwrap_or_default();
    let text = extract_policy_json(&document)?;
    let policy = parse_policy_document(&caller, text.clone())
        .await?
        .map_err(|errors| invalid_policy_error(errors.diagnostics()))?;
    let (policies, model) = (service.store.policies(), encode_permission_model(policy.permission_model()));
    let current = policies.find_policy_by_name(domain, &name).await?;
    if let Some(current) = current.filter(|current| current.model != model) {
        // Changing the policy model could invalidate existing attachments.
        let attachments = policies.list_policy_attachments(&PolicyRef::Custom(current.id)).await?;
        if !attachments.is_empty() {
            return Err(ApiError::with_detail(ApiErrorDefinition::IAM_CONFLICT, "policy-model-attached", []));
        }
    }
    policies.put_policy(&origin, domain, &name, model, &text, &description).await?;
    build_policy_response(&find_policy(&service, domain, &name).await?, build_diagnostic_views(policy.warnings()))
}

/// Delete a policy. A policy with attachments cannot be deleted.
#[utoipa::path(delete, path = "/clew/v1/policies/{name}", tag = "administration", operation_id = "DeletePolicy",
    responses((status = 204, description = "Deleted"), PolicyNotDeletable))]
pub(crate) async fn delete_policy(request: ApiRequest<String>) -> Result<StatusCode, ApiError> {
    let ApiRequest { service, caller, path: name, .. } = request;
    let (domain, origin) = require_identity_write_permission(&caller)?;
    match find_policy(&service, domain, &name).await? {
        CustomOrSystemPolicy::System(_) => Err(immutable_system_policy_error()),
        CustomOrSystemPolicy::Custom(record) => {
            service.store.policies().remove_policy(&origin, &record.id).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

pub(super) enum CustomOrSystemPolicy {
    Custom(PolicyRecord),
    System(&'static system_policies::SystemPolicy),
}

pub(super) async fn find_policy(
    service: &AppState,
    domain: &DomainId,
    name: &str,
) -> Result<CustomOrSystemPolicy, ApiError> {
    if let Some(policy) = system_policies::SYSTEM_POLICIES.iter().find(|policy| policy.name == name) {
        return Ok(CustomOrSystemPolicy::System(policy));
    }
    let record = service.store.policies().find_policy_by_name(domain, name).await?;
    record.map(CustomOrSystemPolicy::Custom).ok_or_else(|| not_found_error("policy", name))
}

impl CustomOrSystemPolicy {
    pub(super) fn to_policy_ref(&self) -> PolicyRef {
        match self {
            Self::Custom(record) => PolicyRef::Custom(record.id.clone()),
            Self::System(policy) => PolicyRef::System(policy.name.to_owned()),
        }
    }

    pub(super) fn permission_model(&self) -> PermissionModel {
        let is_role = match self {
            Self::Custom(record) => record.model == encode_permission_model(PermissionModel::RoleBased),
            Self::System(policy) => {
                policy.parsed_policy().is_some_and(|policy| policy.permission_model() == PermissionModel::RoleBased)
            }
        };
        if is_role { PermissionModel::RoleBased } else { PermissionModel::IdentityBased }
    }

    fn get_policy_document_text(&self) -> &str {
        match self {
            Self::Custom(record) => &record.document,
            Self::System(policy) => policy.document,
        }
    }

    fn build_policy_view(&self) -> PolicyView {
        let (name, description, updated_at) = match self {
            Self::Custom(record) => {
                (record.name.clone(), record.description.clone(), Some(format_rfc3339_timestamp(record.updated_at)))
            }
            Self::System(policy) => (policy.name.to_owned(), policy.description.to_owned(), None),
        };
        PolicyView { name, system: updated_at.is_none(), model: self.permission_model(), description, updated_at }
    }
}

/// Parses the policy on a blocking thread, because comparing misspelled names with all valid names can be slow.
async fn parse_policy_document(caller: &Caller, text: String) -> Result<Result<Policy, PolicyErrors>, ApiError> {
    caller.service.limits.consume_policy_parsing_quota(&caller.principal.user_id, text.len())?;
    spawn_blocking(move || Policy::parse(&text)).await.map_err(ApiError::internal_error)
}

fn build_policy_response(
    policy: &CustomOrSystemPolicy,
    warnings: Vec<PolicyDiagnosticView>,
) -> ApiResult<PolicyWithDocument> {
    let document = RawValue::from_string(policy.get_policy_document_text().trim().to_owned());
    let document = document.map_err(ApiError::internal_error)?;
    Ok(Json(PolicyWithDocument { policy: policy.build_policy_view(), document, warnings }))
}

fn encode_permission_model(model: PermissionModel) -> &'static str {
    match model {
        PermissionModel::RoleBased => "role",
        PermissionModel::IdentityBased => "identity",
    }
}

fn immutable_system_policy_error() -> ApiError {
    ApiError::with_detail(ApiErrorDefinition::IAM_CONFLICT, "policy-of-system", [])
}

fn invalid_policy_error(errors: &[clew_iam::policy::Diagnostic]) -> ApiError {
    let count = [("count", errors.len().to_string())];
    let refusal = ApiError::with_detail(ApiErrorDefinition::IAM_INVALID_BODY, "policy-errors", count);
    ApiError { policy_diagnostics: build_diagnostic_views(errors), ..refusal }
}
