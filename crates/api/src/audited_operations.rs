//! Lists the audited HTTP operations and their names in the audit log.
//!
//! An operation of the TaurusDB or IAM API has the same name in the audit log as in the API.

use std::sync::Arc;

use axum::extract::MatchedPath;
use http::{Method, Request};
use utoipa::openapi::OpenApi;

use crate::openapi;

/// Operations for which the middleware audits successful, failed and denied requests, but not rate-limited requests.
/// For other operations, the middleware audits only denied requests; the store audits each change.
const FULLY_AUDITED_OPERATIONS: [&str; 11] = [
    "CollectRealtimeSession",
    "DownloadRealtimeSession",
    "DeleteTaurusDbNodeProcesses",
    "ExecuteIntelligentKillSession",
    "DownloadIntelligentKill",
    "CreateToken",
    "CreateConsoleSession",
    "ChooseConsoleProject",
    "ExplainSession",
    "KillSessions",
    "ExportAudit",
];

#[derive(Debug)]
pub(crate) struct AuditedOperation {
    method: &'static str,
    path: String,
    pub(crate) name: String,
    /// If false, the middleware audits only denied requests.
    pub(crate) audits_all_requests: bool,
}

#[derive(Debug, Default)]
pub(crate) struct AuditedOperations(Vec<Arc<AuditedOperation>>);

impl AuditedOperations {
    pub(crate) fn from_openapi(mut document: OpenApi) -> Self {
        let mut operations = Vec::new();
        for (path, item) in &mut document.paths.paths {
            operations.extend(openapi::operations_by_method(item).map(|(method, described)| {
                let name = described.operation_id.clone().unwrap_or_default();
                let audits_all_requests = FULLY_AUDITED_OPERATIONS.contains(&name.as_str());
                Arc::new(AuditedOperation { method, path: path.clone(), name, audits_all_requests })
            }));
        }
        Self(operations)
    }

    pub(crate) fn find_operation(&self, method: &str, path: &str) -> Option<Arc<AuditedOperation>> {
        self.0.iter().find(|operation| operation.path == path && operation.method == method).cloned()
    }

    pub(crate) fn find_operation_by_request<B>(&self, request: &Request<B>) -> Option<Arc<AuditedOperation>> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        // HEAD requests are handled by the GET route.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        self.find_operation(method.as_str(), path)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    /// Method and path of every route that authenticates its caller by credentials, a password or a signed link.
    fn authenticating_routes() -> BTreeSet<(String, String)> {
        let openapi: Value = serde_json::from_str(&crate::build_openapi_json()).unwrap();
        let mut routes = BTreeSet::new();
        for (path, item) in openapi["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let authenticates = path == "/v3/auth/tokens" || path.starts_with("/clew/v1/");
                if operation["security"] != json!([{}]) || authenticates {
                    routes.insert((method.to_ascii_uppercase(), path.clone()));
                }
            }
        }
        routes
    }

    #[test]
    fn routes_and_operation_names_correspond_one_to_one() {
        let AuditedOperations(operations) = crate::routes::audited_operations();
        let rows = operations.iter().map(|operation| (operation.method.to_owned(), operation.path.clone()));
        assert_eq!(rows.collect::<BTreeSet<_>>(), authenticating_routes());
        let names: BTreeSet<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
        assert_eq!(names.len(), operations.len());
        // Without an explicit operation id, the name would be the name of the handler function.
        assert!(names.iter().all(|name| name.starts_with(|letter: char| letter.is_ascii_uppercase())), "{names:?}");
        assert!(FULLY_AUDITED_OPERATIONS.iter().all(|name| names.contains(name)));
    }

    /// A new operation changes the snapshot, so its author must choose the audit mode.
    #[test]
    fn audit_mode_of_every_operation() {
        let AuditedOperations(operations) = crate::routes::audited_operations();
        let mode = |all| if all { "all requests" } else { "denied requests" };
        let mut lines: Vec<String> = operations
            .iter()
            .map(|operation| format!("{}: {}", operation.name, mode(operation.audits_all_requests)))
            .collect();
        lines.sort_unstable();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
