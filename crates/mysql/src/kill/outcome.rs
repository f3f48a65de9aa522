//! Outcomes of kills, and reasons for refusing a kill.

use std::fmt;

use clew_diagnose::KillRisk;
use clew_model::Failure;

/// Outcome of a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillOutcome {
    /// The killed session or the killed statement has ended.
    Killed,
    /// The server accepted this kill or an earlier one and is rolling back the session's transaction.
    /// The session's locks are released at the end of the rollback.
    /// During the rollback, the process list still contains the session on MariaDB, but not on MySQL.
    RollingBack {
        /// Number of modified rows that the server has not rolled back yet.
        rows_modified: u64,
    },
    /// The server accepted the kill, but its effect could not be confirmed.
    /// The string is the session's last state or the failure that interrupted the confirmation.
    Ending(String),
    /// The session or the statement had already ended before the kill.
    AlreadyGone,
    /// Clew refused the kill.
    Refused(KillRefusal),
    /// The kill failed, for example because the server is unreachable or a privilege is missing.
    Failed(Failure),
}

impl KillOutcome {
    /// Returns the name stored in the metadata store, such as `killed` or `rolling_back`.
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

    /// Returns whether the server accepted this kill or an earlier kill of the session.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack { .. } | Self::Ending(_))
    }

    /// Returns whether the killed session or statement has ended or is about to end.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.was_accepted() || *self == Self::AlreadyGone
    }
}

/// Reason for refusing a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillRefusal {
    /// The session is an internal session, such as a replication thread or the event scheduler.
    Internal,
    /// The account is protected.
    Protected {
        /// Account name.
        user: String,
    },
    /// The session belongs to Clew.
    OwnSession,
    /// The victim's connection id now belongs to another client's session.
    AnotherSession {
        /// Account name.
        user: String,
        /// Client address.
        host: String,
    },
    /// The server restarted after the victim was selected, or the node's address now leads to a different server.
    /// After a restart or on a different server, the victim's connection id may belong to another client.
    AnotherServer,
    /// Clew is connected through a proxy and therefore cannot identify the sessions in the process list.
    Proxied,
    /// The session is no longer running the statement that the caller selected.
    AnotherStatement,
    /// A kill rule selected the session by its elapsed time, which could not be checked.
    UnreliableAge,
    /// The kill target is a statement, but the session is idle.
    Idle,
    /// The kill could leave partial changes in a non-transactional table, and the caller has not accepted this risk.
    Unsafe(KillRisk),
}

impl fmt::Display for KillRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal => f.write_str("the session is an internal thread of the server, which is never killed"),
            Self::Protected { user } => write!(f, "the account {user} is protected from kills"),
            Self::OwnSession => f.write_str("the session belongs to Clew and ends on its own"),
            Self::AnotherSession { user, host } => {
                write!(f, "the session has ended, and its id now belongs to {user} from {host}")
            }
            Self::AnotherServer => f.write_str(
                "the server restarted after the session was listed, or the address leads to another server now; list the sessions again, \
                 and behind a load balancer, kill on the server itself",
            ),
            Self::Proxied => f.write_str(
                "Clew connects through a proxy or load balancer, so sessions cannot be identified; kill on the server itself",
            ),
            Self::AnotherStatement => {
                f.write_str("the session no longer runs the expected statement; list the sessions again, or kill the connection")
            }
            Self::UnreliableAge => f.write_str(
                "the server does not record the duration of the statement, so automatic kills skip the session; see clew doctor",
            ),
            Self::Unsafe(risk) => write!(f, "automatic kills skip the session: {risk}"),
            Self::Idle => f.write_str("the session runs no statement; kill the connection instead"),
        }
    }
}

impl fmt::Display for KillOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("killed"),
            Self::RollingBack { rows_modified } => {
                write!(f, "killed; rolling back {rows_modified} changed rows; locks are released after the rollback")
            }
            Self::Ending(state) => write!(f, "kill sent, not confirmed yet: {state}"),
            Self::AlreadyGone => f.write_str("already terminated"),
            Self::Refused(why) => write!(f, "not killed: {why}"),
            Self::Failed(failure) => write!(f, "kill failed: {failure}"),
        }
    }
}
