//! What each route is called, and what the audit keeps of it: the names are those of the APIs themselves.

use axum::extract::MatchedPath;
use http::{Method, Request};

/// What the audit keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// How it ended, always.
    Always,
    /// That it was refused. The store itself writes down that it was done, together with what it changed; or nothing was changed.
    Refused,
}

/// A route that asks who calls, or makes somebody of a nobody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kept: Kept,
}

const fn operation(method: &'static str, path: &'static str, name: &'static str, kept: Kept) -> Operation {
    Operation { method, path, name, kept }
}

/// A node of the TaurusDB API.
macro_rules! node {
    ($rest:literal) => {
        concat!("/v3/{project_id}/instances/{instance_id}/nodes/{node_id}/", $rest)
    };
}

/// A node, below Clew's own API.
macro_rules! watched {
    ($rest:literal) => {
        concat!("/clew/v1/{project_id}/instances/{instance_id}/nodes/{node_id}/", $rest)
    };
}

/// An instance of the TaurusDB API.
macro_rules! instance {
    ($rest:literal) => {
        concat!("/v3/{project_id}/instances/{instance_id}/", $rest)
    };
}

/// All of them; a test holds them against the routes.
pub(crate) const ALL: &[Operation] = &[
    operation("POST", node!("realtime-session"), "CollectRealtimeSession", Kept::Always),
    operation("GET", node!("realtime-session-task"), "ShowRealtimeSessionTaskStatus", Kept::Refused),
    operation("GET", node!("realtime-session-result"), "DownloadRealtimeSession", Kept::Always),
    operation("GET", node!("processes"), "ListTaurusDbNodeProcesses", Kept::Refused),
    operation("DELETE", node!("processes"), "DeleteTaurusDbNodeProcesses", Kept::Always),
    operation("GET", node!("process/lock-wait"), "ShowLockWaitSession", Kept::Refused),
    operation(
        "GET",
        "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session/statistic",
        "ShowIntelligentKillSessionStatistic",
        Kept::Refused,
    ),
    operation(
        "POST",
        "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session",
        "ExecuteIntelligentKillSession",
        Kept::Always,
    ),
    operation(
        "GET",
        "/v3/{project_id}/instances/{instance_id}/intelligent-kill-session/history",
        "ListIntelligentKillSessionHistory",
        Kept::Refused,
    ),
    operation("GET", "/clew/v1/intelligent-kills/{task_id}", "DownloadIntelligentKill", Kept::Always),
    operation("POST", node!("txn-progress"), "ShowTaurusDbTxnProgress", Kept::Refused),
    operation("GET", "/v3/{project_id}/instances", "ListGaussMySqlInstances", Kept::Refused),
    operation("GET", "/v3.1/{project_id}/instances", "ListGaussMySqlInstancesUnifyStatus", Kept::Refused),
    operation("GET", "/v3/{project_id}/instances/{instance_id}", "ShowGaussMySqlInstanceInfo", Kept::Refused),
    operation(
        "GET",
        "/v3.1/{project_id}/instances/{instance_id}",
        "ShowGaussMySqlInstanceInfoUnifyStatus",
        Kept::Refused,
    ),
    operation("GET", instance!("process/task/switch"), "ShowKillProcessStatus", Kept::Refused),
    operation("PUT", instance!("process/task/switch"), "UpdateAutoKillProcessStatus", Kept::Refused),
    operation("POST", instance!("process/task"), "AddKillProcessTask", Kept::Refused),
    operation("PUT", instance!("process/task"), "StopKillProcessTask", Kept::Refused),
    operation("GET", instance!("process/task"), "ShowKillProcessTask", Kept::Refused),
    operation("GET", instance!("process/task/preview"), "ShowKillProcessTaskPreview", Kept::Refused),
    operation("GET", instance!("process/kill/history"), "ShowKillProcessHistory", Kept::Refused),
    operation("GET", instance!("slow-process-threshold"), "ShowTaurusDbSlowProcessThreshold", Kept::Refused),
    operation(
        "POST",
        "/v3/{project_id}/instances/slow-process-threshold",
        "BatchUpdateTaurusSlowProcessThreshold",
        Kept::Refused,
    ),
    operation("GET", "/v3/{project_id}/instances/{instance_id}/tags", "ListInstanceTags", Kept::Refused),
    operation("GET", "/v3/{project_id}/tags", "ListProjectTags", Kept::Refused),
    operation("POST", "/v3/{project_id}/instances/{instance_id}/tags/action", "BatchTagAction", Kept::Refused),
    operation("POST", "/v3/auth/tokens", "CreateToken", Kept::Always),
    operation("GET", "/v3/auth/tokens", "ShowToken", Kept::Refused),
    operation("POST", "/clew/v1/console/session", "CreateConsoleSession", Kept::Always),
    operation("GET", "/clew/v1/console/session", "ShowConsoleSession", Kept::Refused),
    operation("DELETE", "/clew/v1/console/session", "EndConsoleSession", Kept::Refused),
    operation("POST", "/clew/v1/console/session/project", "ChooseConsoleProject", Kept::Always),
    operation("DELETE", "/v3/auth/tokens", "RevokeToken", Kept::Refused),
    operation("POST", "/v3.0/OS-CREDENTIAL/securitytokens", "CreateTemporaryAccessKey", Kept::Refused),
    operation("GET", "/v3/projects", "ListProjects", Kept::Refused),
    operation("GET", "/v3/auth/projects", "ListAuthProjects", Kept::Refused),
    operation("GET", "/v3/auth/domains", "ListAuthDomains", Kept::Refused),
    operation("GET", "/v5/caller-identity", "ShowCallerIdentity", Kept::Refused),
    operation("GET", watched!("stream"), "WatchSessions", Kept::Refused),
    operation("GET", watched!("sessions/{session_id}"), "ShowSession", Kept::Refused),
    operation("POST", watched!("sessions/{session_id}/explain"), "ExplainSession", Kept::Always),
    operation("GET", watched!("locks"), "ShowLocks", Kept::Refused),
    operation("POST", watched!("kill"), "KillSessions", Kept::Always),
    operation("GET", watched!("kills"), "ListKills", Kept::Refused),
    operation("GET", "/clew/v1/{project_id}/instances/{instance_id}/permissions", "ShowPermissions", Kept::Refused),
    operation("GET", watched!("collections"), "ListCollections", Kept::Refused),
    operation("DELETE", watched!("collections/{request_id}"), "DeleteRealtimeSession", Kept::Refused),
    operation("GET", "/clew/v1/projects", "ListAdministeredProjects", Kept::Refused),
    operation("POST", "/clew/v1/projects", "CreateProject", Kept::Refused),
    operation("PATCH", "/clew/v1/projects/{project_id}", "UpdateProject", Kept::Refused),
    operation("GET", "/clew/v1/enterprise-projects", "ListEnterpriseProjects", Kept::Refused),
    operation("POST", "/clew/v1/enterprise-projects", "CreateEnterpriseProject", Kept::Refused),
    operation(
        "PATCH",
        "/clew/v1/enterprise-projects/{enterprise_project_id}",
        "UpdateEnterpriseProject",
        Kept::Refused,
    ),
    operation("GET", "/clew/v1/users", "ListUsers", Kept::Refused),
    operation("POST", "/clew/v1/users", "CreateUser", Kept::Refused),
    operation("GET", "/clew/v1/users/{user_id}", "ShowUser", Kept::Refused),
    operation("PATCH", "/clew/v1/users/{user_id}", "UpdateUser", Kept::Refused),
    operation("DELETE", "/clew/v1/users/{user_id}", "DeleteUser", Kept::Refused),
    operation("POST", "/clew/v1/password", "ChangePassword", Kept::Refused),
    operation("GET", "/clew/v1/users/{user_id}/keys", "ListAccessKeys", Kept::Refused),
    operation("POST", "/clew/v1/users/{user_id}/keys", "CreateAccessKey", Kept::Refused),
    operation("PATCH", "/clew/v1/users/{user_id}/keys/{access_key}", "UpdateAccessKey", Kept::Refused),
    operation("DELETE", "/clew/v1/users/{user_id}/keys/{access_key}", "DeleteAccessKey", Kept::Refused),
    operation("GET", "/clew/v1/groups", "ListGroups", Kept::Refused),
    operation("POST", "/clew/v1/groups", "CreateGroup", Kept::Refused),
    operation("GET", "/clew/v1/groups/{group_id}", "ShowGroup", Kept::Refused),
    operation("DELETE", "/clew/v1/groups/{group_id}", "DeleteGroup", Kept::Refused),
    operation("PUT", "/clew/v1/groups/{group_id}/members/{user_id}", "AddUserToGroup", Kept::Refused),
    operation("DELETE", "/clew/v1/groups/{group_id}/members/{user_id}", "RemoveUserFromGroup", Kept::Refused),
    operation("GET", "/clew/v1/policies", "ListPolicies", Kept::Refused),
    operation("POST", "/clew/v1/policies/validate", "ValidatePolicy", Kept::Refused),
    operation("POST", "/clew/v1/policies/simulate", "SimulatePolicy", Kept::Refused),
    operation("GET", "/clew/v1/policies/{name}", "ShowPolicy", Kept::Refused),
    operation("PUT", "/clew/v1/policies/{name}", "PutPolicy", Kept::Refused),
    operation("DELETE", "/clew/v1/policies/{name}", "DeletePolicy", Kept::Refused),
    operation("GET", "/clew/v1/policies/{name}/attachments", "ListPolicyAttachments", Kept::Refused),
    operation("POST", "/clew/v1/policies/{name}/attachments", "AttachPolicy", Kept::Refused),
    operation("DELETE", "/clew/v1/policies/{name}/attachments/{kind}/{id}", "DetachPolicy", Kept::Refused),
    operation("GET", "/clew/v1/audit", "ListAudit", Kept::Refused),
    operation("GET", "/clew/v1/audit/export", "ExportAudit", Kept::Always),
    operation("GET", "/clew/v1/audit/verify", "VerifyAudit", Kept::Refused),
];

impl Operation {
    /// The one that a request asks for; nothing for the routes for everyone.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<&'static Self> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        // What answers GET answers HEAD.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        ALL.iter().find(|operation| operation.path == path && operation.method == method.as_str())
    }
}
