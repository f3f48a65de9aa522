//! Outcomes of kills, and reasons for refusing a kill.

use std::fmt;

use clew_diagnose::{KillRisk, ProtectedAccounts, bytes_to_text, is_internal_session};
use clew_model::{Failure, LocalizedText, Session, localized};

/// Outcome of a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillOutcome {
    /// The killed session or the killed statement has ended.
    Killed,
    /// The server accepted a kill of the session and is rolling back the session's transaction.
    /// The session's locks are released at the end of the rollback.
    /// During the rollback, MariaDB's process list still contains the session; MySQL's process list does not.
    RollingBack {
        /// Number of modified rows whose changes the server still has to roll back.
        rows_modified: u64,
    },
    /// The server accepted the kill, but Clew could not confirm that the session or statement has ended.
    /// Contains the last known state of the session, or the reason why Clew could not confirm the kill.
    Ending(LocalizedText),
    /// The session or statement had already ended before the kill.
    AlreadyGone,
    /// Clew refused the kill.
    Refused(KillRefusal),
    /// The kill failed, for example because the server is unreachable or a privilege is missing.
    Failed(Failure),
}

impl KillOutcome {
    /// Returns the name of the outcome as stored in Clew's database, such as `killed` or `rolling_back`.
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

    /// Returns true if the database server accepted the kill or had already accepted an earlier kill of the session.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        matches!(self, Self::Killed | Self::RollingBack { .. } | Self::Ending(_))
    }

    /// Returns true if the killed session or statement has ended or is about to end.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.was_accepted() || *self == Self::AlreadyGone
    }

    /// Returns a description of the outcome.
    #[must_use]
    pub fn description(&self) -> LocalizedText {
        match self {
            Self::Killed => LocalizedText::new("killed", "已Kill"),
            Self::RollingBack { rows_modified } => localized!(
                "killed; rolling back {rows_modified} changed rows; locks are released after the rollback",
                "已Kill，正在回滚 {rows_modified} 行修改，回滚完成后释放锁"
            ),
            Self::Ending(state) => LocalizedText::new(
                format!("kill sent, not confirmed yet: {state}"),
                format!("已发送Kill，尚未确认生效：{}", state.chinese),
            ),
            Self::AlreadyGone => LocalizedText::new("already terminated", "会话已结束"),
            Self::Refused(why) => {
                let why = why.description();
                LocalizedText::new(format!("not killed: {why}"), format!("未Kill：{}", why.chinese))
            }
            Self::Failed(failure) => {
                LocalizedText::new(format!("kill failed: {failure}"), format!("Kill失败：{}", failure.detail))
            }
        }
    }
}

/// Reason for refusing a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillRefusal {
    /// The session is internal to the server, such as a replication thread or the event scheduler.
    Internal,
    /// The account is protected.
    Protected {
        /// Account name.
        user: String,
    },
    /// The session belongs to Clew.
    OwnSession,
    /// A different client's session now uses the connection id of the session that was selected for the kill.
    AnotherSession {
        /// Account name.
        user: String,
        /// Client address.
        host: String,
    },
    /// The server restarted after the victim was selected, or the node's address now leads to a different server.
    /// After a restart or on a different server, the selected session's connection id may belong to another client.
    AnotherServer,
    /// The connection passes through a proxy, so Clew cannot reliably identify the sessions in the process list.
    Proxied,
    /// The session is no longer running the statement that the caller selected.
    AnotherStatement,
    /// A kill rule selected the session by an elapsed time that Clew could not verify.
    UnreliableAge,
    /// The caller requested a kill of only the running statement, but the session is idle.
    Idle,
    /// The kill could damage a table or leave partial changes, and the caller has not accepted this risk.
    Unsafe(KillRisk),
}

impl KillRefusal {
    /// Returns the reason why Clew never kills the session, or `None`. `is_own` is true for Clew's own sessions.
    pub(super) fn for_protected_session(
        session: &Session,
        is_own: bool,
        protected: &ProtectedAccounts,
    ) -> Option<Self> {
        if is_internal_session(session) {
            Some(Self::Internal)
        } else if is_own {
            Some(Self::OwnSession)
        } else if protected.is_protected(&session.user) {
            Some(Self::Protected { user: bytes_to_text(&session.user) })
        } else {
            None
        }
    }

    /// Returns a description of the reason.
    #[must_use]
    pub fn description(&self) -> LocalizedText {
        match self {
            Self::Internal => LocalizedText::new(
                "the session is an internal thread of the server, which is never killed",
                "该会话是服务器的内部线程，不能Kill",
            ),
            Self::Protected { user } => {
                localized!("the account {user} is protected from kills", "账号{user}受保护，不能Kill其会话")
            }
            Self::OwnSession => {
                LocalizedText::new("the session belongs to Clew and ends on its own", "该会话属于Clew，会自行结束")
            }
            Self::AnotherSession { user, host } => localized!(
                "the session has ended, and its id now belongs to {user} from {host}",
                "会话已结束，其ID现属于用户{user}（来自{host}）"
            ),
            Self::AnotherServer => LocalizedText::new(
                "the server restarted after the session was listed, or the address leads to another server now; list the sessions again, \
                 and behind a load balancer, kill on the server itself",
                "列出会话后，服务器已重启，或者该地址已指向另一台服务器；请重新列出会话，使用负载均衡时请直接在数据库服务器上Kill会话",
            ),
            Self::Proxied => LocalizedText::new(
                "Clew connects through a proxy or load balancer, so sessions cannot be identified; kill on the server itself",
                "Clew经由代理或负载均衡连接，无法确认会话的身份；请直接在数据库服务器上Kill会话",
            ),
            Self::AnotherStatement => LocalizedText::new(
                "the session no longer runs the expected statement; list the sessions again, or kill the connection",
                "会话已不再执行所选语句；请重新列出会话，或改为终止连接",
            ),
            Self::UnreliableAge => LocalizedText::new(
                "the server does not record the duration of the statement, so automatic kills skip the session; see clew doctor",
                "服务器未记录语句的执行时长，自动Kill会话会跳过该会话；详见clew doctor",
            ),
            Self::Unsafe(risk) => LocalizedText::new(
                format!("automatic kills skip the session: {risk}"),
                format!("自动Kill会话会跳过该会话：{}", risk.description().chinese),
            ),
            Self::Idle => LocalizedText::new(
                "the session runs no statement; kill the connection instead",
                "会话没有正在执行的语句；请改为终止连接",
            ),
        }
    }
}

/// Formats the reason in English.
impl fmt::Display for KillRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.description().fmt(f)
    }
}

/// Formats the outcome in English.
impl fmt::Display for KillOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.description().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use clew_model::FailureKind;

    use super::*;

    #[test]
    fn outcomes_and_refusals_are_translated() {
        let refusals = [
            KillRefusal::Internal,
            KillRefusal::Protected { user: "rdsadmin".into() },
            KillRefusal::OwnSession,
            KillRefusal::AnotherSession { user: "app".into(), host: "10.0.0.7".into() },
            KillRefusal::AnotherServer,
            KillRefusal::Proxied,
            KillRefusal::AnotherStatement,
            KillRefusal::UnreliableAge,
            KillRefusal::Idle,
            KillRefusal::Unsafe(KillRisk::UnknownTables { statement: "CALL" }),
        ];
        let outcomes = [
            KillOutcome::Killed,
            KillOutcome::RollingBack { rows_modified: 7 },
            KillOutcome::Ending(LocalizedText::untranslated("Killed")),
            KillOutcome::AlreadyGone,
            KillOutcome::Failed(Failure::new(FailureKind::TimedOut, "db1:3306")),
        ];
        for outcome in refusals.into_iter().map(KillOutcome::Refused).chain(outcomes) {
            assert!(outcome.description().is_translated(), "{outcome:?}");
        }
    }
}
