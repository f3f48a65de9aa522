//! Route that validates a policy document without storing it.

use clew_iam::policy::{Diagnostic, PermissionModel};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{PermissionModelName, parse_policy_document};
use crate::administration::require_identity_read_permission;
use crate::api_request::{ApiRequest, ApiResult, Json};
use crate::error::{ApiError, PolicyDiagnosticView};
use crate::field_errors::{invalid_field_error, missing_field_error};
use crate::request_body::parse_json_body;

/// Policy document, as a JSON object or as a string that contains JSON. Error positions refer to the document text.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "schema of the body; the raw text is parsed for exact error positions")]
pub(crate) enum PolicyDocumentInput {
    Object(PolicyDocument),
    Text(String),
}

/// Policy document. The syntax depends on the policy version (TaurusDB API spec, sections 4.3 and 4.5).
#[derive(ToSchema)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "schema of a document that `clew_iam` parses")]
pub(crate) struct PolicyDocument {
    version: PolicyVersion,
    /// Policy statements. Each statement contains Effect and either Action or NotAction.
    /// Resource (or NotResource), Condition and Sid are optional in a statement.
    #[schema(min_items = 1)]
    statement: Vec<Map<String, Value>>,
}

/// Policy version: 1.0 (roles), 1.1 (policies) or 5.0 (identity policies)
#[derive(ToSchema)]
#[allow(dead_code, reason = "schema of a document that `clew_iam` parses")]
pub(crate) enum PolicyVersion {
    #[serde(rename = "1.0")]
    Role,
    #[serde(rename = "1.1")]
    Policy,
    #[serde(rename = "5.0")]
    Identity,
}

/// A document to validate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyValidationRequest {
    #[schema(value_type = PolicyDocumentInput)]
    document: Box<RawValue>,
}

/// Result of a validation.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyValidationResponse {
    /// True if the document is valid
    valid: bool,
    /// Policy model: role for policy versions 1.0 and 1.1, identity for version 5.0; null for an invalid document
    #[schema(value_type = Option<PermissionModelName>)]
    model: Option<PermissionModel>,
    /// All errors in the document
    errors: Vec<PolicyDiagnosticView>,
    /// Warnings about a valid document
    warnings: Vec<PolicyDiagnosticView>,
}

/// Validate a policy document and list all errors.
#[utoipa::path(post, path = "/clew/v1/policies/validate", tag = "administration", operation_id = "ValidatePolicy",
    request_body = PolicyValidationRequest,
    responses((status = 200, description = "Result of the validation", body = PolicyValidationResponse)))]
pub(crate) async fn validate_policy(request: ApiRequest) -> ApiResult<PolicyValidationResponse> {
    let ApiRequest { caller, body, .. } = request;
    require_identity_read_permission(&caller)?;
    let PolicyValidationRequest { document } = parse_json_body(&body)?;
    let text = extract_policy_json(&document)?;
    Ok(Json(match parse_policy_document(&caller, text).await? {
        Ok(policy) => PolicyValidationResponse {
            valid: true,
            model: Some(policy.permission_model()),
            errors: Vec::new(),
            warnings: build_diagnostic_views(policy.warnings()),
        },
        Err(errors) => PolicyValidationResponse {
            valid: false,
            model: None,
            errors: build_diagnostic_views(errors.diagnostics()),
            warnings: Vec::new(),
        },
    }))
}

pub(super) fn extract_policy_json(document: &RawValue) -> Result<String, ApiError> {
    let raw = document.get();
    match raw.as_bytes().first() {
        Some(b'{') => Ok(raw.to_owned()),
        Some(b'n') => Err(missing_field_error("document")),
        Some(b'"') => serde_json::from_str(raw).map_err(|_| invalid_field_error("document", raw)),
        _ => Err(invalid_field_error("document", raw)),
    }
}

pub(super) fn build_diagnostic_views(findings: &[Diagnostic]) -> Vec<PolicyDiagnosticView> {
    findings.iter().map(PolicyDiagnosticView::from).collect()
}
