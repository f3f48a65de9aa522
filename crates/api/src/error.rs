//! Error responses. The body contains the code from the error catalog and a message in the requested language.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use clew_iam::policy::Diagnostic;
use clew_model::{ApiErrorDefinition, Failure, Language};
use clew_store::StoreError;
use clew_worker::KillError;
use http::StatusCode;
use http::header::{InvalidHeaderValue, RETRY_AFTER};
use serde::Serialize;
use tracing::{error, warn};
use utoipa::ToSchema;

use crate::messages::{format_failure, format_message};

/// Maximum length of a request's path and query, in bytes (TaurusDB API spec, section 5.3).
pub(crate) const MAX_URI_BYTES: usize = 32 << 10;

const CONCURRENCY_LIMIT_RETRY_AFTER_SECONDS: u64 = 5;
const MASTER_KEY_ROTATION_RETRY_AFTER_SECONDS: u64 = 5;

/// [`crate::route_middleware`] adds the body of the error response in the requested language.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) definition: ApiErrorDefinition,
    pub(crate) detail: ErrorDetail,
    /// Value of the `Retry-After` header, in seconds.
    pub(crate) retry_after: Option<u64>,
    pub(crate) policy_diagnostics: Vec<PolicyDiagnosticView>,
}

#[derive(Debug, Clone)]
pub(crate) enum ErrorDetail {
    /// Fluent message id and the values of the message's variables.
    Message(&'static str, Vec<(&'static str, String)>),
    Failure(Failure),
}

/// Body of an error response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// Error code
    #[schema(example = "DBS.280001")]
    pub(crate) error_code: String,
    /// Error message in the language requested by X-Language
    #[schema(example = "Parameter error.")]
    pub(crate) error_msg: String,
    /// Request id; only with APIGW error codes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Errors in an invalid policy in the request body; warnings are omitted
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<PolicyDiagnosticView>,
}

/// Diagnostic about a policy document: an error or a warning.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PolicyDiagnosticView {
    /// Line number, starting at 1
    line: usize,
    /// Column number in characters, starting at 1
    column: usize,
    /// JSON path within the policy document
    #[schema(example = "$.Statement[0].Action[1]")]
    path: String,
    /// Description of the problem and its fix
    message: String,
}

impl From<&Diagnostic> for PolicyDiagnosticView {
    fn from(finding: &Diagnostic) -> Self {
        Self {
            line: finding.line,
            column: finding.column,
            path: finding.path.clone(),
            message: finding.message.clone(),
        }
    }
}

impl ApiError {
    pub(crate) fn new(definition: ApiErrorDefinition) -> Self {
        Self::with_detail(definition, "", [])
    }

    pub(crate) fn with_detail(
        definition: ApiErrorDefinition,
        id: &'static str,
        arguments: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let detail = ErrorDetail::Message(id, arguments.into_iter().collect());
        Self { definition, detail, retry_after: None, policy_diagnostics: Vec::new() }
    }

    pub(crate) fn invalid_parameter(
        id: &'static str,
        arguments: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::with_detail(ApiErrorDefinition::INVALID_PARAMETER, id, arguments)
    }

    pub(crate) fn session_not_found(id: u64) -> Self {
        Self::with_detail(ApiErrorDefinition::UNKNOWN_NODE, "no-such-session", [("id", id.to_string())])
    }

    pub(crate) fn uri_too_long_error() -> Self {
        Self::with_detail(ApiErrorDefinition::URI_TOO_LONG, "uri-limit", [("limit", MAX_URI_BYTES.to_string())])
    }

    pub(crate) fn rate_limit_exceeded_error(wait: Duration) -> Self {
        // The wait is rounded up because an early retry would be refused again.
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        let detail =
            Self::with_detail(ApiErrorDefinition::TOO_MANY_REQUESTS, "retry-after", [("seconds", seconds.to_string())]);
        Self { retry_after: Some(seconds), ..detail }
    }

    pub(crate) fn concurrency_limit_exceeded_error(id: &'static str, limit: usize) -> Self {
        let detail = Self::with_detail(ApiErrorDefinition::TOO_MANY_REQUESTS, id, [("limit", limit.to_string())]);
        Self { retry_after: Some(CONCURRENCY_LIMIT_RETRY_AFTER_SECONDS), ..detail }
    }

    /// A reserved connection serves only the health and metrics endpoints.
    pub(crate) fn no_free_connection_error() -> Self {
        let detail = Self::with_detail(ApiErrorDefinition::UNAVAILABLE, "no-free-connection", []);
        Self { retry_after: Some(CONCURRENCY_LIMIT_RETRY_AFTER_SECONDS), ..detail }
    }

    /// Logs the cause but does not include it in the response.
    pub(crate) fn internal_error(cause: impl std::fmt::Display) -> Self {
        error!(error = %cause, "request failed with an internal error");
        Self::new(ApiErrorDefinition::INTERNAL)
    }

    pub(crate) fn from_node_failure(failure: Failure) -> Self {
        Self { detail: ErrorDetail::Failure(failure), ..Self::new(ApiErrorDefinition::INTERNAL) }
    }

    /// The audit log counts repeated refused requests separately for each message id.
    pub(crate) fn message_id(&self) -> &'static str {
        match &self.detail {
            ErrorDetail::Message(id, _) => id,
            ErrorDetail::Failure(_) => "failure",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.definition.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn build_body(&self, language: Language, request_id: &str) -> ErrorBody {
        let detail = match &self.detail {
            ErrorDetail::Message("", _) => String::new(),
            ErrorDetail::Message(id, arguments) => format_message(language, id, arguments),
            ErrorDetail::Failure(failure) => format_failure(language, failure),
        };
        let error_code = self.definition.code.to_owned();
        let error_msg = format_message(language, self.definition.message_id, &[("detail", detail)]).trim().to_owned();
        let request_id = error_code.starts_with("APIGW.").then(|| request_id.to_owned());
        ErrorBody { error_code, error_msg, request_id, errors: self.policy_diagnostics.clone() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<InvalidHeaderValue> for ApiError {
    fn from(error: InvalidHeaderValue) -> Self {
        Self::internal_error(&error)
    }
}

impl From<KillError> for ApiError {
    fn from(error: KillError) -> Self {
        match error {
            KillError::Node(failure) => Self::from_node_failure(failure),
            KillError::Store(error) => error.into(),
            // A temporary error would make clients repeat a request whose kills have been sent.
            KillError::OutcomesNotRecorded(error) => Self::internal_error(&error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (definition, id, arguments) = match error {
            StoreError::QueueFull { limit, .. } => {
                (ApiErrorDefinition::QUEUE_FULL, "queue-full-detail", vec![("limit", limit.to_string())])
            }
            StoreError::ResultMissing { .. } | StoreError::ResultCorrupt { .. } => {
                error!(%error, "stored result is missing or corrupted");
                (ApiErrorDefinition::INTERNAL, "result-damaged", Vec::new())
            }
            StoreError::S3 { .. } => {
                error!(%error, "cannot read a stored result");
                (ApiErrorDefinition::INTERNAL, "result-unreachable", Vec::new())
            }
            StoreError::AlreadyExists { name, .. } => {
                (ApiErrorDefinition::IAM_CONFLICT, "name-taken", vec![("name", name)])
            }
            StoreError::IssuingCredentialsRevoked => (ApiErrorDefinition::IAM_INVALID_TOKEN, "", Vec::new()),
            // The object was deleted after the handler looked it up.
            StoreError::Unknown { what, name } => {
                (ApiErrorDefinition::IAM_UNKNOWN, "iam-target", vec![("target", what.into()), ("id", name)])
            }
            StoreError::LastAdministrator(name) => {
                (ApiErrorDefinition::IAM_CONFLICT, "last-administrator", vec![("name", name)])
            }
            StoreError::TooManyKeys(limit) => {
                (ApiErrorDefinition::IAM_CONFLICT, "too-many-keys", vec![("limit", limit.to_string())])
            }
            StoreError::TooManyPolicies { name, policies, bytes, limits } => {
                let arguments = vec![
                    ("name", name),
                    ("policies", policies.to_string()),
                    ("bytes", bytes.to_string()),
                    ("max", limits.policies.to_string()),
                    ("max-bytes", limits.bytes.to_string()),
                ];
                (ApiErrorDefinition::IAM_CONFLICT, "too-many-policies", arguments)
            }
            StoreError::InUse { times, .. } => {
                (ApiErrorDefinition::IAM_CONFLICT, "policy-in-use", vec![("times", times.to_string())])
            }
            // This process is about to exit. A server with the new key can process the request.
            StoreError::MasterKeyRotated => {
                warn!(%error, "request refused");
                let retry_after = Some(MASTER_KEY_ROTATION_RETRY_AFTER_SECONDS);
                return Self { retry_after, ..Self::new(ApiErrorDefinition::UNAVAILABLE) };
            }
            StoreError::KillTasksDisabled => (ApiErrorDefinition::NOT_ALLOWED, "kill-switch-off", Vec::new()),
            StoreError::TooManyKillTasks(limit) => {
                (ApiErrorDefinition::NOT_ALLOWED, "kill-tasks-limit", vec![("limit", limit.to_string())])
            }
            StoreError::TooManyTags(limit) => {
                (ApiErrorDefinition::TAG_QUOTA, "tag-quota-detail", vec![("limit", limit.to_string())])
            }
            error => return Self::internal_error(&error),
        };
        Self::with_detail(definition, id, arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (wait, seconds) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3)] {
            let response = ApiError::rate_limit_exceeded_error(Duration::from_millis(wait)).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], seconds.to_string(), "{wait} ms");
        }
    }

    #[test]
    fn rotated_master_key_is_a_temporary_error() {
        let response = ApiError::from(StoreError::MasterKeyRotated).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "5");
        let after_kills = ApiError::from(KillError::OutcomesNotRecorded(StoreError::MasterKeyRotated));
        assert_eq!(after_kills.status(), StatusCode::INTERNAL_SERVER_ERROR, "clients must not repeat sent kills");
    }
}
