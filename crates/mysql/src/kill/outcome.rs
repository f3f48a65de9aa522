//! Outcomes of kills, and reasons for refusals.

use std::fmt;

use clew_diagnose::KillRisk;
use clew_model::Failure;

/// Outcome of a kill. The first four variants need no further action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillOutcome {
    /// The session or its statement has ended.
    Killed,
    /// The server accepted this or an earlier kill and rolls back changes. Locks are released after the rollback.
    /// MariaDB lists the session until then, MySQL does not.
    RollingBack {
        /// Number of changed rows still to be rolled back.
        rows_modified: u64,
    },
    /// The server accepted the kill, and its effect is not confirmed yet. Has the last observed state.
    Ending(String),
    /// The session or its statement had ended before the kill.
    AlreadyGone,
    /// The kill was refused.
    Refused(Refusal),
    /// The server is unreachable, or the account lacks a privilege; the failure then has the `GRANT` statement.
    Failed(Failure),
}

impl KillOutcome {
    /// Name in the store: `killed`, `rolling_back`, `ending`, `already_gone`, `refused` or `failed`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::RollingBack { .. } => "rolling_back",
            Self::Ending(_) => "ending",
            Self::AlreadyGone => "already_gone",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// Returns whether the server accepted this or an earlier kill.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack { .. } | Self::Ending(_))
    }

    /// Returns whether the session or statement has ended or is about to end.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.was_accepted() || *self == Self::AlreadyGone
    }
}

/// Reason for refusing a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Internal thread of the server, such as replication or the event scheduler.
    Internal,
    /// The account is protected.
    Protected {
        /// Account name.
        user: String,
    },
    /// Session of Clew itself.
    OwnSession,
    /// The connection id now belongs to another session.
    AnotherSession {
        /// Account name.
        user: String,
        /// Client address.
        host: String,
    },
    /// The server restarted since the victim was listed, or the address now leads to another server.
    /// Connection ids then belong to other clients.
    AnotherServer,
    /// A proxy stands between Clew and the server: listed sessions cannot be identified.
    Proxied,
    /// The session no longer runs the expected statement.
    AnotherStatement,
    /// A rule chose the session by its age, which the server does not record and which may be wrong.
    UnreliableAge,
    /// The kill targets a statement, and the session runs none.
    Idle,
    /// The kill can damage a table without transactions, and the caller did not accept this.
    Unsafe(KillRisk),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal => f.write_str("it is a thread of the server itself, which is never killed"),
            Self::Protected { user } => write!(f, "the account {user} is protected, its sessions are never killed"),
            Self::OwnSession => f.write_str("it is a session of Clew itself, which ends on its own"),
            Self::AnotherSession { user, host } => {
                write!(f, "the session that was meant is gone; its id now belongs to {user} from {host}")
            }
            Self::AnotherServer => f.write_str(
                "the server restarted since the session was listed, or the address leads to another server now; list the sessions again, \
                 and behind a balancer kill on the server itself",
            ),
            Self::Proxied => f.write_str(
                "a proxy or balancer stands between Clew and the server, so that sessions cannot be identified; kill on the server itself",
            ),
            Self::AnotherStatement => {
                f.write_str("it no longer does what it did when it was chosen; look again, or kill the connection")
            }
            Self::UnreliableAge => f.write_str(
                "the server does not record the duration of its statement, so that an automatic kill spares it; see clew doctor",
            ),
            Self::Unsafe(risk) => write!(f, "an automatic kill spares it: {risk}"),
            Self::Idle => f.write_str("it runs no statement that could be ended; kill the connection instead"),
        }
    }
}

impl fmt::Display for KillOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("killed"),
            Self::RollingBack { rows_modified } => {
                write!(f, "killed; rolling back, {rows_modified} changed rows to go; its locks stay until then")
            }
            Self::Ending(seen) => write!(f, "kill sent, not yet ended: {seen}"),
            Self::AlreadyGone => f.write_str("already gone"),
            Self::Refused(why) => write!(f, "not killed: {why}"),
            Self::Failed(failure) => write!(f, "could not be killed: {failure}"),
        }
    }
}
