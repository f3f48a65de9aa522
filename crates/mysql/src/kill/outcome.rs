//! Outcomes of kills, and reasons for refusing them.

use std::fmt;

use clew_diagnose::KillRisk;
use clew_model::Failure;

/// Outcome of a kill. After the first four, nothing is left to do but to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillOutcome {
    /// The session is gone, or its statement has ended.
    Killed,
    /// The server took this kill, or one before, and rolls back what was changed; the locks stay until that is done. MariaDB lists
    /// the session until then, MySQL does not.
    RollingBack {
        /// Rows that are still changed.
        rows_modified: u64,
    },
    /// The server took the kill, and at the last check it had not had its effect yet: what the check showed.
    Ending(String),
    /// It had ended before.
    AlreadyGone,
    /// Nothing was killed.
    Refused(Refusal),
    /// The server could not be reached, or the account may not kill this session; then the failure names the `GRANT`.
    Failed(Failure),
}

impl KillOutcome {
    /// As it is stored: `killed`, `rolling_back`, `ending`, `already_gone`, `refused`, `failed`.
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

    /// Whether the server took this kill, or one before: what is left to do is to wait.
    #[must_use]
    pub fn was_taken(&self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack { .. } | Self::Ending(_))
    }

    /// Whether what was to be killed is gone, or is about to go.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.was_taken() || *self == Self::AlreadyGone
    }
}

/// Why nothing was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Replication, event scheduler or another thread of the server.
    Internal,
    /// The account is protected.
    Protected {
        /// Its name.
        user: String,
    },
    /// One of Clew's own sessions.
    Own,
    /// The id belongs to another session by now.
    AnotherSession {
        /// Its account.
        user: String,
        /// Its client.
        host: String,
    },
    /// The server restarted since the victim was listed, or the address leads to another server by now: the same ids belong to other
    /// clients there.
    AnotherServer,
    /// A proxy stands between, so that the sessions of the list cannot be identified.
    Indirect,
    /// The session does something else by now.
    AnotherStatement,
    /// A rule chose the session by its age, and the server does not record what the session runs: the age may be wrong.
    UnreliableAge,
    /// A statement was to be ended, and the session runs none.
    Idle,
    /// The kill could damage or half-change a table without transactions, and nothing opted in to that.
    Unsafe(KillRisk),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal => f.write_str("it is a thread of the server itself, which is never killed"),
            Self::Protected { user } => write!(f, "the account {user} is protected, its sessions are never killed"),
            Self::Own => f.write_str("it is a session of Clew itself, which ends on its own"),
            Self::AnotherSession { user, host } => {
                write!(f, "the session that was meant is gone; its id now belongs to {user} from {host}")
            }
            Self::AnotherServer => f.write_str(
                "the server restarted since the session was listed, or the address leads to another server now; list the sessions again, \
                 and behind a balancer kill on the server itself",
            ),
            Self::Indirect => f.write_str(
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
