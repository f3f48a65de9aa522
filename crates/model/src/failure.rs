//! Reasons why reading from a node or killing a session failed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::to_single_line;

crate::named_enum! {
    /// Kind of failure. Each kind has a localized message with the Fluent id `failure-<name>`.
    pub enum FailureKind {
        /// The connection was refused, or the network is unreachable.
        Unreachable = "unreachable",
        /// The node did not respond before the timeout.
        TimedOut = "timed-out",
        /// The server rejected the account or its password.
        AccessDenied = "access-denied",
        /// The account lacks a required privilege.
        MissingPrivilege = "missing-privilege",
        /// The server has no free connection.
        TooManyConnections = "too-many-connections",
        /// The connection was lost while reading data.
        ConnectionLost = "connection-lost",
        /// TLS is required, but the server does not support TLS or does not have a trusted certificate.
        TlsFailed = "tls-failed",
        /// The peer is not a MySQL-compatible server or violated the MySQL protocol.
        NotMysql = "not-mysql",
        /// The server rejected a statement for a reason not covered by any other failure kind.
        ServerError = "server-error",
        /// Clew's store failed, for example because the disk is full, a permission is missing, or the store is unreachable.
        StoreFailed = "store-failed",
        /// The collection task was aborted after the maximum number of attempts or due to an internal error.
        RetriesExhausted = "gave-up",
        /// The node was removed from Clew before its sessions were collected.
        NodeRemoved = "node-gone",
        /// All of Clew's permitted connections to the node were in use until the timeout.
        Busy = "busy",
    }
}

impl FailureKind {
    /// Returns a short English title.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::NotMysql => "not MySQL".to_owned(),
            Self::TlsFailed => "TLS failed".to_owned(),
            other => other.name().replace('-', " "),
        }
    }
}

/// Reason why Clew could not read from a node or kill a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Failure kind.
    pub kind: FailureKind,
    /// One line of text with details, such as the node address, the timeout or the server's error message.
    /// Never contains secrets.
    pub detail: String,
}

impl Failure {
    /// Creates a failure and converts `detail` to a single line.
    pub fn new(kind: FailureKind, detail: impl AsRef<str>) -> Self {
        Self { kind, detail: to_single_line(detail.as_ref()) }
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
    fn server_message_is_reduced_to_one_line() {
        let failure = Failure::new(FailureKind::AccessDenied, "denied\u{1b}[31m\r\n\u{2028}fix:  rm\u{202e}");
        assert_eq!(failure.to_string(), "access denied: denied [31m fix: rm");
    }

    #[test]
    fn stored_name_equals_serialized_name() {
        for kind in FailureKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
    }
}
