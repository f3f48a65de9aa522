//! Sessions that belong to the server or to Clew, not to an application.

use std::collections::HashSet;

use clew_model::Session;

/// Commands of replication and background threads, and of clients that read the binary log (`mysqlbinlog`). `Binlog Dump GTID` starts like `Binlog Dump`.
const COMMAND_STARTS: [&[u8]; 4] = [b"binlog dump", b"daemon", b"slave_", b"register slave"];

/// Name of the threads of replication, and of MariaDB's appliers and background workers.
const SYSTEM_USER: &[u8] = b"system user";

/// Hosts of threads that no client connected: none, or the state of a replica that connects to its source.
const NO_CLIENT: [&[u8]; 2] = [b"", b"connecting host"];

/// Whether a session is internal: replication, binlog dump, event scheduler, daemon (DESIGN.md section 2). A name proves nothing: an
/// account can be called `event_scheduler` or `system user`; such a session has a client, and a client's command. Clew's
/// own sessions are recognised by the source that reads them. One kind is not recognised here: on MySQL, a replication thread inside a
/// trigger is listed under the trigger's definer; before a kill the source reads the thread's type.
#[must_use]
pub fn is_internal(session: &Session) -> bool {
    let starts = |start: &[u8]| session.command.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    let without_client = session.user == SYSTEM_USER && NO_CLIENT.contains(&session.host.as_slice());
    without_client || COMMAND_STARTS.iter().any(|start| starts(start))
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
    fn threads_of_the_server_are_internal_and_clients_with_their_names_are_not() {
        for (user, host, command, internal) in [
            ("app", "10.0.0.1:9", "Query", false),
            ("app", "10.0.0.1:9", "Sleep", false),
            ("root", "10.0.0.1:9", "Binlog Dump", true),
            ("repl", "10.0.0.1:9", "Binlog Dump GTID", true),
            ("system user", "", "Slave_SQL", true),
            ("system user", "", "Connect", true),
            ("system user", "connecting host", "Connect", true),
            ("system user", "", "Query", true),
            ("event_scheduler", "localhost", "Daemon", true),
            ("event_scheduler", "10.0.0.1:9", "Query", false),
            ("event_scheduler", "localhost", "Sleep", false),
            ("system user", "10.0.0.1:9", "Query", false),
            ("system user", "localhost", "Query", false),
            ("clew", "10.0.0.1:9", "Query", false),
            ("unauthenticated user", "10.0.0.1:9", "Connect", false),
        ] {
            let (user, host, command) = (user.into(), host.into(), command.into());
            let session = Session { user, host, command, ..Session::default() };
            assert_eq!(is_internal(&session), internal, "{session:?}");
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
        let event = Session { user: b"event_scheduler".to_vec(), command: b"Daemon".to_vec(), ..Session::default() };
        assert!(!may_be_killed(&event, &ProtectedAccounts::new::<&str>([])), "whatever is protected");
    }
}
