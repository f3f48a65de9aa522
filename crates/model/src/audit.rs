//! Audit events. Each event records the actor, origin, target and outcome of an operation.

use std::fmt;
use std::net::IpAddr;

use crate::ids::{DomainId, InstanceId, NodeId, ProjectId, UserId};

/// Actor of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An authenticated user.
    User {
        /// Id of the user.
        id: UserId,
        /// User name at the time of the event.
        name: String,
        /// Domain of the user.
        domain_id: DomainId,
    },
    /// Operating system account that runs a Clew command locally, with direct access to the data directory.
    Local {
        /// Name of the operating system account.
        user: String,
    },
    /// A Clew component, for example a worker process or the job that deletes expired data.
    Clew,
    /// An unauthenticated caller.
    Anonymous {
        /// User name or access key id in the caller's request; empty if the request contains neither.
        claimed: String,
    },
}

impl Actor {
    /// Returns the actor kind as reported by the API and the command line: `user`, `local`, `clew` or `anonymous`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Local { .. } => "local",
            Self::Clew => "clew",
            Self::Anonymous { .. } => "anonymous",
        }
    }

    /// Returns the user name, the operating system account or, for an unauthenticated caller, the claimed identity.
    /// Returns an empty string for [`Actor::Clew`].
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User { name, .. } | Self::Local { user: name } | Self::Anonymous { claimed: name } => name,
            Self::Clew => "",
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { name, .. } => write!(f, "user {name}"),
            Self::Local { user } => write!(f, "local account {user}"),
            Self::Clew => f.write_str("Clew"),
            Self::Anonymous { claimed } if claimed.is_empty() => f.write_str("unauthenticated caller"),
            Self::Anonymous { claimed } => write!(f, "unauthenticated caller, claimed identity {claimed}"),
        }
    }
}

/// Origin of an operation: the actor, the client address and the request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOrigin {
    /// Actor.
    pub actor: Actor,
    /// IP address of the client, or `None` for operations without a network client.
    pub peer: Option<IpAddr>,
    /// Request id, as returned in the `X-Request-Id` header; empty for operations without an HTTP request.
    pub request_id: String,
}

impl AuditOrigin {
    /// Creates the audit origin of a command that the operating system account `account` runs locally.
    #[must_use]
    pub fn for_local_account(account: impl Into<String>) -> Self {
        Self { actor: Actor::Local { user: account.into() }, peer: None, request_id: String::new() }
    }

    /// Creates an `AuditOrigin` for an automatic operation of Clew, such as pruning the audit log.
    #[must_use]
    pub fn for_internal_operation() -> Self {
        Self { actor: Actor::Clew, peer: None, request_id: String::new() }
    }
}

crate::named_enum! {
    /// Outcome of an operation.
    pub enum AuditOutcome {
        /// The operation succeeded.
        Succeeded = "done",
        /// The caller is not authenticated or not authorized to perform the operation.
        Denied = "denied",
        /// The operation was allowed but failed.
        Failed = "failed",
    }
}

/// Event in the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Origin of the operation: actor, client address and request id.
    pub origin: AuditOrigin,
    /// API operation name, such as `CollectRealtimeSession` or `CreateUser`.
    pub operation: String,
    /// Affected domain, if known.
    pub domain_id: Option<DomainId>,
    /// Affected project, if any.
    pub project_id: Option<ProjectId>,
    /// Affected instance, if any.
    pub instance_id: Option<InstanceId>,
    /// Affected node, if any.
    pub node_id: Option<NodeId>,
    /// Name or id of the affected object.
    pub target: String,
    /// Outcome.
    pub outcome: AuditOutcome,
    /// Error code of the HTTP response, if any. Always `None` if the operation succeeded.
    pub code: Option<String>,
    /// Details of the operation as JSON, without secrets or their hashes. SQL statements are stored without literals.
    pub detail: serde_json::Value,
}

impl AuditEvent {
    /// Creates an audit event for a successful operation, without domain, project, instance and node ids.
    #[must_use]
    pub fn for_successful_operation(
        origin: &AuditOrigin,
        operation: impl Into<String>,
        target: impl Into<String>,
    ) -> Self {
        Self {
            origin: origin.clone(),
            operation: operation.into(),
            domain_id: None,
            project_id: None,
            instance_id: None,
            node_id: None,
            target: target.into(),
            outcome: AuditOutcome::Succeeded,
            code: None,
            detail: serde_json::Value::Null,
        }
    }
}
