//! Table of the audited HTTP operations, with the name of each operation in the audit log.
//!
//! An operation of the TaurusDB or IAM API has the same name in the audit log as in the API.

use axum::extract::MatchedPath;
use http::{Method, Request};

/// Specifies whether the request layer audits all requests of an operation or only denied requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditMode {
    Always,
    /// The request layer audits only denied requests, because the store itself writes an audit event for each change.
    DenialsOnly,
}

/// HTTP operation that is recorded in the audit log: a route that requires authentication or signs in a user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditedOperation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) audit_mode: AuditMode,
}

const fn operation(
    method: &'static str,
    path: &'static str,
    name: &'static str,
    audit_mode: AuditMode,
) -> AuditedOperation {
    AuditedOperation { method, path, name, audit_mode }
}

macro_rules! node {
    ($rest:literal) => {
        concat!(instance!("nodes/{node_id}/"), $rest)
    };
}

macro_rules! console_node {
    ($rest:literal) => {
        concat!("/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/", $rest)
    };
}

macro_rules! instance {
    ($rest:literal) => {
        concat!("/v3/{project_id}/instances/{instance_id}/", $rest)
    };
}

pub(crate) const AUDITED_OPERATIONS: &[AuditedOperation] = &[
    operation("POST", node!("realtime-session"), "CollectRealtimeSession", AuditMode::Always),
    operation("GET", node!("realtime-session-task"), "ShowRealtimeSessionTaskStatus", AuditMode::DenialsOnly),
    operation("GET", node!("realtime-session-result"), "DownloadRealtimeSession", AuditMode::Always),
    operation("GET", node!("processes"), "ListTaurusDbNodeProcesses", AuditMode::DenialsOnly),
    operation("DELETE", node!("processes"), "DeleteTaurusDbNodeProcesses", AuditMode::Always),
    operation("GET", node!("process/lock-wait"), "ShowLockWaitSession", AuditMode::DenialsOnly),
    operation(
        "GET",
        instance!("intelligent-kill-session/statistic"),
        "ShowIntelligentKillSessionStatistic",
        AuditMode::DenialsOnly,
    ),
    operation("POST", instance!("intelligent-kill-session"), "ExecuteIntelligentKillSession", AuditMode::Always),
    operation(
        "GET",
        instance!("intelligent-kill-session/history"),
        "ListIntelligentKillSessionHistory",
        AuditMode::DenialsOnly,
    ),
    operation("GET", "/clew/v1/intelligent-kills/{task_id}", "DownloadIntelligentKill", AuditMode::Always),
    operation("POST", node!("txn-progress"), "ShowTaurusDbTxnProgress", AuditMode::DenialsOnly),
    operation("GET", "/v3/{project_id}/instances", "ListGaussMySqlInstances", AuditMode::DenialsOnly),
    operation("GET", "/v3.1/{project_id}/instances", "ListGaussMySqlInstancesUnifyStatus", AuditMode::DenialsOnly),
    operation("GET", "/v3/{project_id}/instances/{instance_id}", "ShowGaussMySqlInstanceInfo", AuditMode::DenialsOnly),
    operation(
        "GET",
        "/v3.1/{project_id}/instances/{instance_id}",
        "ShowGaussMySqlInstanceInfoUnifyStatus",
        AuditMode::DenialsOnly,
    ),
    operation("GET", instance!("process/task/switch"), "ShowKillProcessStatus", AuditMode::DenialsOnly),
    operation("PUT", instance!("process/task/switch"), "UpdateAutoKillProcessStatus", AuditMode::DenialsOnly),
    operation("POST", instance!("process/task"), "AddKillProcessTask", AuditMode::DenialsOnly),
    operation("PUT", instance!("process/task"), "StopKillProcessTask", AuditMode::DenialsOnly),
    operation("GET", instance!("process/task"), "ShowKillProcessTask", AuditMode::DenialsOnly),
    operation("GET", instance!("process/task/preview"), "ShowKillProcessTaskPreview", AuditMode::DenialsOnly),
    operation("GET", instance!("process/kill/history"), "ShowKillProcessHistory", AuditMode::DenialsOnly),
    operation("GET", instance!("slow-process-threshold"), "ShowTaurusDbSlowProcessThreshold", AuditMode::DenialsOnly),
    operation(
        "POST",
        "/v3/{project_id}/instances/slow-process-threshold",
        "BatchUpdateTaurusSlowProcessThreshold",
        AuditMode::DenialsOnly,
    ),
    operation("GET", instance!("tags"), "ListInstanceTags", AuditMode::DenialsOnly),
    operation("GET", "/v3/{project_id}/tags", "ListProjectTags", AuditMode::DenialsOnly),
    operation("POST", instance!("tags/action"), "BatchTagAction", AuditMode::DenialsOnly),
    operation("POST", "/v3/auth/tokens", "CreateToken", AuditMode::Always),
    operation("GET", "/v3/auth/tokens", "ShowToken", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/console/session", "CreateConsoleSession", AuditMode::Always),
    operation("GET", "/clew/v1/console/session", "ShowConsoleSession", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/console/session", "EndConsoleSession", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/console/session/project", "ChooseConsoleProject", AuditMode::Always),
    operation("DELETE", "/v3/auth/tokens", "RevokeToken", AuditMode::DenialsOnly),
    operation("POST", "/v3.0/OS-CREDENTIAL/securitytokens", "CreateTemporaryAccessKey", AuditMode::DenialsOnly),
    operation("GET", "/v3/projects", "ListProjects", AuditMode::DenialsOnly),
    operation("GET", "/v3/auth/projects", "ListAuthProjects", AuditMode::DenialsOnly),
    operation("GET", "/v3/auth/domains", "ListAuthDomains", AuditMode::DenialsOnly),
    operation("GET", "/v5/caller-identity", "ShowCallerIdentity", AuditMode::DenialsOnly),
    operation("GET", console_node!("stream"), "WatchSessions", AuditMode::DenialsOnly),
    operation("GET", console_node!("sessions/{session_id}"), "ShowSession", AuditMode::DenialsOnly),
    operation("POST", console_node!("sessions/{session_id}/explain"), "ExplainSession", AuditMode::Always),
    operation("GET", console_node!("locks"), "ShowLocks", AuditMode::DenialsOnly),
    operation("POST", console_node!("kill"), "KillSessions", AuditMode::Always),
    operation("GET", console_node!("kills"), "ListKills", AuditMode::DenialsOnly),
    operation(
        "GET",
        "/clew/v1/{project_id}/instances/{instance_id}/permissions",
        "ShowPermissions",
        AuditMode::DenialsOnly,
    ),
    operation("GET", console_node!("collections"), "ListCollections", AuditMode::DenialsOnly),
    operation("DELETE", console_node!("collections/{request_id}"), "DeleteRealtimeSession", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/projects", "ListAdministeredProjects", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/projects", "CreateProject", AuditMode::DenialsOnly),
    operation("PATCH", "/clew/v1/projects/{project_id}", "UpdateProject", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/enterprise-projects", "ListEnterpriseProjects", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/enterprise-projects", "CreateEnterpriseProject", AuditMode::DenialsOnly),
    operation(
        "PATCH",
        "/clew/v1/enterprise-projects/{enterprise_project_id}",
        "UpdateEnterpriseProject",
        AuditMode::DenialsOnly,
    ),
    operation("GET", "/clew/v1/users", "ListUsers", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/users", "CreateUser", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/users/{user_id}", "ShowUser", AuditMode::DenialsOnly),
    operation("PATCH", "/clew/v1/users/{user_id}", "UpdateUser", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/users/{user_id}", "DeleteUser", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/password", "ChangePassword", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/users/{user_id}/keys", "ListAccessKeys", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/users/{user_id}/keys", "CreateAccessKey", AuditMode::DenialsOnly),
    operation("PATCH", "/clew/v1/users/{user_id}/keys/{access_key}", "UpdateAccessKey", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/users/{user_id}/keys/{access_key}", "DeleteAccessKey", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/groups", "ListGroups", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/groups", "CreateGroup", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/groups/{group_id}", "ShowGroup", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/groups/{group_id}", "DeleteGroup", AuditMode::DenialsOnly),
    operation("PUT", "/clew/v1/groups/{group_id}/members/{user_id}", "AddUserToGroup", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/groups/{group_id}/members/{user_id}", "RemoveUserFromGroup", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/policies", "ListPolicies", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/policies/validate", "ValidatePolicy", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/policies/simulate", "SimulatePolicy", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/policies/{name}", "ShowPolicy", AuditMode::DenialsOnly),
    operation("PUT", "/clew/v1/policies/{name}", "PutPolicy", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/policies/{name}", "DeletePolicy", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/policies/{name}/attachments", "ListPolicyAttachments", AuditMode::DenialsOnly),
    operation("POST", "/clew/v1/policies/{name}/attachments", "AttachPolicy", AuditMode::DenialsOnly),
    operation("DELETE", "/clew/v1/policies/{name}/attachments/{kind}/{id}", "DetachPolicy", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/audit", "ListAudit", AuditMode::DenialsOnly),
    operation("GET", "/clew/v1/audit/export", "ExportAudit", AuditMode::Always),
    operation("GET", "/clew/v1/audit/verify", "VerifyAudit", AuditMode::DenialsOnly),
];

impl AuditedOperation {
    /// Returns `None` for a public route.
    pub(crate) fn find_operation_by_request<B>(request: &Request<B>) -> Option<&'static Self> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        // HEAD requests are handled by the GET route.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        AUDITED_OPERATIONS.iter().find(|operation| operation.path == path && operation.method == method.as_str())
    }
}
