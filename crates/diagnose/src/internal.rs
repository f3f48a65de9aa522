//! Sessions that belong to the server or to Clew, not to anybody's application.

use std::collections::HashSet;

use clew_model::Session;

/// Accounts under which only the server itself works.
const ACCOUNTS: [&[u8]; 2] = [b"system user", b"event_scheduler"];

/// Commands of replication and background threads. `Binlog Dump GTID` starts like `Binlog Dump`.
const COMMAND_STARTS: [&[u8]; 4] = [b"binlog dump", b"daemon", b"slave_", b"register slave"];

/// Whether a session is internal: replication, binlog dump, event scheduler, daemon (DESIGN.md section 2). Clew's own are known
/// by their ids, which the caller has. One is not known here: on MySQL, a thread of replication that is in a trigger is listed under
/// the trigger's definer; before a kill the source asks the server for that.
#[must_use]
pub fn is_internal(session: &Session) -> bool {
    let starts = |start: &[u8]| session.command.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    ACCOUNTS.contains(&session.user.as_slice()) || COMMAND_STARTS.iter().any(|start| starts(start))
}

/// Accounts of cloud vendors and of the server's own parts (DESIGN.md section 6).
const PROTECTED: [&str; 9] = [
    "rdsadmin",
    "rdsbackup",
    "rdsmetric",
    "rdsRepl",
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "mariadb.sys",
    "event_scheduler",
];

/// Accounts whose sessions are never killed. Internal sessions ([`is_internal`]) are not, whatever is protected here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedAccounts(HashSet<Vec<u8>>);

impl Default for ProtectedAccounts {
    /// Those of DESIGN.md section 6.
    fn default() -> Self {
        Self::new(PROTECTED)
    }
}

impl ProtectedAccounts {
    /// These accounts, by name without host, instead of the default ones.
    pub fn new<N: Into<Vec<u8>>>(names: impl IntoIterator<Item = N>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// These accounts too.
    #[must_use]
    pub fn and<N: Into<Vec<u8>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.0.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether this account, by name without host, is protected. Servers tell capital letters from small ones here.
    #[must_use]
    pub fn protects(&self, user: &[u8]) -> bool {
        self.0.contains(user)
    }
}

/// Whether a session may be chosen to be killed: it is a user's, and its account is not protected. Clew's own sessions look like
/// anybody's here; who reads a server knows them.
#[must_use]
pub fn may_be_killed(session: &Session, protected: &ProtectedAccounts) -> bool {
    !is_internal(session) && !protected.protects(&session.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_protected_by_their_exact_name() {
        let protected = ProtectedAccounts::default();
        for (user, is_protected) in [("rdsadmin", true), ("rdsRepl", true), ("rdsrepl", false), ("app", false)] {
            assert_eq!(protected.protects(user.as_bytes()), is_protected, "{user}");
        }
        assert!(protected.clone().and(["app"]).protects(b"app"));
        assert!(protected.and(["app"]).protects(b"mysql.sys"));
        assert!(!ProtectedAccounts::new(["app"]).protects(b"rdsadmin"));
    }

    #[test]
    fn the_servers_own_threads_are_internal_and_nobody_elses() {
        for (user, command, internal) in [
            ("app", "Query", false),
            ("app", "Sleep", false),
            ("root", "Binlog Dump", true),
            ("repl", "Binlog Dump GTID", true),
            ("system user", "Slave_SQL", true),
            ("system user", "Connect", true),
            ("event_scheduler", "Daemon", true),
            ("unauthenticated user", "Connect", false),
        ] {
            let session = Session { user: user.into(), command: command.into(), ..Session::default() };
            assert_eq!(is_internal(&session), internal, "{user} {command}");
        }
    }

    #[test]
    fn only_users_sessions_of_unprotected_accounts_may_be_killed() {
        let protected = ProtectedAccounts::default().and(["billing"]);
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
            assert_eq!(may_be_killed(&session, &protected), may, "{user} {command}");
        }
        let event = Session { user: b"event_scheduler".to_vec(), ..Session::default() };
        assert!(!may_be_killed(&event, &ProtectedAccounts::new::<&str>([])), "whatever is protected");
    }
}
