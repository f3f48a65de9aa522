//! Why a node could not be read: kept with a task, told to whoever asks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::one_line;

/// Kinds of failure, each with a message in both languages (`failure-<name>` in the message files).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Nothing listens there, or the network refuses.
    Unreachable,
    /// The node did not answer within its limit.
    TimedOut,
    /// The account or its password was refused.
    AccessDenied,
    /// The account lacks a privilege that the read cannot do without.
    MissingPrivilege,
    /// The node has no free connection.
    TooManyConnections,
    /// The connection ended while the node was being read.
    ConnectionLost,
    /// TLS was asked for and could not be had, or the certificate was not trusted.
    TlsFailed,
    /// What answered is not a MySQL-compatible server, or broke the protocol.
    NotMysql,
    /// The server refused a statement for another reason.
    ServerError,
    /// The result could not be written: disk full, permission, store unreachable.
    StoreFailed,
    /// The task was taken up and lost too often.
    GaveUp,
    /// The node was removed from the inventory while the task waited.
    NodeGone,
    /// Clew itself has as many connections to the node as it allows itself, and none came free in time.
    Busy,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::TimedOut,
        Self::AccessDenied,
        Self::MissingPrivilege,
        Self::TooManyConnections,
        Self::ConnectionLost,
        Self::TlsFailed,
        Self::NotMysql,
        Self::ServerError,
        Self::StoreFailed,
        Self::GaveUp,
        Self::NodeGone,
        Self::Busy,
    ];

    /// As it is stored, and the tail of its message's id.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::AccessDenied => "access-denied",
            Self::MissingPrivilege => "missing-privilege",
            Self::TooManyConnections => "too-many-connections",
            Self::ConnectionLost => "connection-lost",
            Self::TlsFailed => "tls-failed",
            Self::NotMysql => "not-mysql",
            Self::ServerError => "server-error",
            Self::StoreFailed => "store-failed",
            Self::GaveUp => "gave-up",
            Self::NodeGone => "node-gone",
            Self::Busy => "busy",
        }
    }
}

impl FailureKind {
    /// In a few English words, for a person.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::NotMysql => "not MySQL".to_owned(),
            Self::TlsFailed => "TLS failed".to_owned(),
            other => other.name().replace('-', " "),
        }
    }
}

/// A failure: its kind, and the particulars in the words of whatever failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// Particulars on one line: address, limit, the server's own message. Never a secret.
    pub detail: String,
}

impl Failure {
    /// A failure of this kind. The particulars are put on one line: a server's message could otherwise begin a line that reads like advice.
    pub fn new(kind: FailureKind, detail: impl AsRef<str>) -> Self {
        Self { kind, detail: one_line(detail.as_ref()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.detail)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_of_a_server_stays_on_one_line() {
        let failure = Failure::new(FailureKind::AccessDenied, "denied\u{1b}[31m\r\n\u{2028}fix:  rm\u{202e}");
        assert_eq!(failure.to_string(), "access denied: denied [31m fix: rm");
    }

    #[test]
    fn stored_names_are_the_serialized_ones() {
        for kind in FailureKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
    }
}
