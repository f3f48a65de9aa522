//! Audit events: actor, origin, operation, target and outcome.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ids::{DomainId, InstanceId, NodeId, ProjectId, UserId};

/// Actor of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An authenticated user.
    User {
        /// Id of the user.
        id: UserId,
        /// Name of the user at the time of the event.
        name: String,
        /// Domain of the user.
        domain_id: DomainId,
    },
    /// A local user of the command line, with access to the data directory.
    Local {
        /// Name of the operating-system account.
        user: String,
    },
    /// Clew itself: the worker, or retention.
    Clew,
    /// An unauthenticated caller.
    Anonymous {
        /// Claimed identity: a user name or an access key id; empty if there is none.
        claimed: String,
    },
}

impl Actor {
    /// Stored name of the kind of actor: `user`, `local`, `clew` or `nobody`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Local { .. } => "local",
            Self::Clew => "clew",
            Self::Anonymous { .. } => "nobody",
        }
    }

    /// Name of the user or account, or the claimed identity; empty for Clew itself.
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
            Self::Anonymous { claimed } if claimed.is_empty() => f.write_str("nobody"),
            Self::Anonymous { claimed } => write!(f, "nobody, claiming to be {claimed}"),
        }
    }
}

/// Origin of an operation: actor, client address and request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Actor.
    pub actor: Actor,
    /// Address of the client; `None` for local operations.
    pub peer: Option<IpAddr>,
    /// Id of the request, as in `X-Request-Id`; empty if there is no request.
    pub request_id: String,
}

impl Origin {
    /// Origin of a local command, with its operating-system account.
    #[must_use]
    pub fn local(account: impl Into<String>) -> Self {
        Self { actor: Actor::Local { user: account.into() }, peer: None, request_id: String::new() }
    }

    /// Origin of Clew's own operations.
    #[must_use]
    pub fn clew() -> Self {
        Self { actor: Actor::Clew, peer: None, request_id: String::new() }
    }
}

/// Outcome of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The operation succeeded.
    Done,
    /// The operation was denied: the caller is not authenticated, or no policy allows it.
    Denied,
    /// The operation was allowed and failed.
    Failed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Done, Self::Denied, Self::Failed];

    /// Stored name of the outcome.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// Returns the outcome with the stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Event in the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Origin: actor, client address and request.
    pub origin: Origin,
    /// Name of the operation in the API, such as `CollectRealtimeSession` or `CreateUser`.
    pub operation: String,
    /// Affected domain, if known.
    pub domain_id: Option<DomainId>,
    /// Affected project, if any.
    pub project_id: Option<ProjectId>,
    /// Affected instance, if any.
    pub instance_id: Option<InstanceId>,
    /// Affected node, if any.
    pub node_id: Option<NodeId>,
    /// Target of the operation: a name or an id.
    pub target: String,
    /// Outcome.
    pub outcome: Outcome,
    /// Error code of the response, if the operation was denied or failed.
    pub code: Option<String>,
    /// Further details. They never contain a secret or its hash, and only the template of a statement.
    pub detail: serde_json::Value,
}

impl AuditEvent {
    /// Creates an event of a successful operation, without affected resources.
    #[must_use]
    pub fn succeeded(origin: &Origin, operation: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            origin: origin.clone(),
            operation: operation.into(),
            domain_id: None,
            project_id: None,
            instance_id: None,
            node_id: None,
            target: target.into(),
            outcome: Outcome::Done,
            code: None,
            detail: serde_json::Value::Null,
        }
    }
}
