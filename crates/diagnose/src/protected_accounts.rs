//! Accounts whose sessions Clew never kills.

use std::collections::HashSet;

use clew_model::Session;

use crate::internal_sessions::is_internal_session;

const DEFAULT_PROTECTED_ACCOUNTS: [&str; 8] =
    ["rdsadmin", "rdsbackup", "rdsmetric", "rdsRepl", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"];

/// Names of accounts whose sessions are never killed.
///
/// Internal sessions ([`is_internal_session`]) are always protected, regardless of their account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedAccounts(HashSet<Vec<u8>>);

impl Default for ProtectedAccounts {
    fn default() -> Self {
        Self::new(DEFAULT_PROTECTED_ACCOUNTS)
    }
}

impl ProtectedAccounts {
    /// Creates a set of protected accounts from the given names, without the default accounts.
    pub fn new<N: Into<Vec<u8>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Adds accounts to the set.
    #[must_use]
    pub fn with_accounts<N: Into<Vec<u8>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.0.extend(names.into_iter().map(Into::into));
        self
    }

    /// Returns true if the account `user` is protected. Account names are case-sensitive and exclude the host part.
    #[must_use]
    pub fn is_protected(&self, user: &[u8]) -> bool {
        self.0.contains(user)
    }
}

/// Returns true if the session may be killed: it is not internal and its account is not protected.
///
/// May return true for Clew's own sessions, which the crate `clew-mysql` excludes.
#[must_use]
pub fn is_killable_session(session: &Session, protected: &ProtectedAccounts) -> bool {
    !is_internal_session(session) && !protected.is_protected(&session.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_protected_by_their_exact_name() {
        let protected = ProtectedAccounts::default();
        for (user, is_protected) in [("rdsadmin", true), ("rdsRepl", true), ("rdsrepl", false), ("app", false)] {
            assert_eq!(protected.is_protected(user.as_bytes()), is_protected, "{user}");
        }
        assert!(protected.clone().with_accounts(["app"]).is_protected(b"app"));
        assert!(protected.with_accounts(["app"]).is_protected(b"mysql.sys"));
        assert!(!ProtectedAccounts::new(["app"]).is_protected(b"rdsadmin"));
    }

    #[test]
    fn only_user_sessions_of_unprotected_accounts_are_killable() {
        let protected = ProtectedAccounts::default().with_accounts(["billing"]);
        for (user, command, may) in [
            ("app", "Query", true),
            ("app", "Sleep", true),
            ("app", "Binlog Dump GTID", false),
            ("system user", "Query", false),
            ("rdsadmin", "Query", false),
            ("billing", "Sleep", false),
            ("Billing", "Sleep", true),
        ] {
            let session = Session { user: user.into(), command: command.into(), ..Session::default() };
            assert_eq!(is_killable_session(&session, &protected), may, "{user} {command}");
        }
        let event = Session { user: b"event_scheduler".to_vec(), command: b"Daemon".to_vec(), ..Session::default() };
        assert!(
            !is_killable_session(&event, &ProtectedAccounts::new::<&str>([])),
            "regardless of the protected accounts"
        );
    }
}
