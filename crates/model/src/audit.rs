//! Who did what, from where, and how it ended: what the audit keeps.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ids::{DomainId, InstanceId, NodeId, ProjectId, UserId};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A user who has signed in.
    User {
        /// Its id.
        id: UserId,
        /// Its name at that moment.
        name: String,
        /// The domain that it belongs to.
        domain_id: DomainId,
    },
    /// Someone at the command line, who has the data directory itself.
    Local {
        /// Name of the account of the operating system.
        user: String,
    },
    /// Clew itself: the worker, the removal of what is old.
    Clew,
    /// Someone who has not signed in, or could not.
    Nobody {
        /// Who it claimed to be: a name or an access key id; empty if it claimed nothing.
        claimed: String,
    },
}

impl Actor {
    /// The kind of actor, as it is stored: `user`, `local`, `clew`, `nobody`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Local { .. } => "local",
            Self::Clew => "clew",
            Self::Nobody { .. } => "nobody",
        }
    }

    /// Name of the user or account, or what was claimed; empty for Clew itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User { name, .. } | Self::Local { user: name } | Self::Nobody { claimed: name } => name,
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
            Self::Nobody { claimed } if claimed.is_empty() => f.write_str("nobody"),
            Self::Nobody { claimed } => write!(f, "nobody, claiming to be {claimed}"),
        }
    }
}

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// Address of the client; nothing where there is no network between.
    pub peer: Option<IpAddr>,
    /// Id of the request, as in `X-Request-Id`; empty where there is no request.
    pub request_id: String,
}

impl Origin {
    /// Someone at the command line, under this account of the operating system.
    #[must_use]
    pub fn local(account: impl Into<String>) -> Self {
        Self { actor: Actor::Local { user: account.into() }, peer: None, request_id: String::new() }
    }

    /// Clew itself.
    #[must_use]
    pub fn clew() -> Self {
        Self { actor: Actor::Clew, peer: None, request_id: String::new() }
    }
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused: nobody signed in, or no policy allows it.
    Denied,
    /// It was allowed, and failed.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Denied, Self::Failed];

    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Something that the audit keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Who, and from where.
    pub origin: Origin,
    /// What: the operation's name in the API, `CollectRealtimeSession`, `CreateUser`, …
    pub operation: String,
    /// The domain that it is about, where it is known.
    pub domain_id: Option<DomainId>,
    /// The project that it is about, if any.
    pub project_id: Option<ProjectId>,
    /// The instance that it is about, if any.
    pub instance_id: Option<InstanceId>,
    /// The node that it is about, if any.
    pub node_id: Option<NodeId>,
    /// What it was done to, in words that a reader knows again: a name or an id.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The error code that was answered, if it did not end well.
    pub code: Option<String>,
    /// What else is to be known. Never a secret or a hash of one; of a statement its template only.
    pub detail: serde_json::Value,
}

impl AuditEvent {
    /// Something that was done, about nothing in particular yet.
    #[must_use]
    pub fn done(origin: &Origin, operation: impl Into<String>, target: impl Into<String>) -> Self {
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
