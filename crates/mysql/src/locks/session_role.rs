//! Classifies sessions as user sessions, Clew's own sessions, replication appliers or internal sessions.

use clew_diagnose::is_internal_session;
use clew_diagnose::waits::SessionRole;
use clew_model::Session;

/// The account alone does not identify a replication applier.
/// While a MariaDB 10.11 replication applier runs a trigger, the process list shows the trigger definer's account.
const MARIADB_REPLICATION_APPLIER_COMMANDS: [&[u8]; 2] = [b"Slave_SQL", b"Slave_worker"];

/// `is_applier` is true if the session's thread has the name of a replication applier.
pub(crate) fn determine_session_role(session: &Session, is_own: bool, is_applier: bool) -> SessionRole {
    // On MySQL, only applier threads have the command `Query`, never the receiver thread.
    let applies = || session.user == b"system user" && session.command == b"Query" && is_internal_session(session);
    if is_own {
        SessionRole::Clew
    } else if is_applier || MARIADB_REPLICATION_APPLIER_COMMANDS.contains(&session.command.as_slice()) || applies() {
        SessionRole::Applier
    } else if is_internal_session(session) {
        SessionRole::Internal
    } else {
        SessionRole::User
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appliers_are_distinguished_from_receiver_threads() {
        for (user, command, expected) in [
            ("app", "Query", SessionRole::User),
            ("root", "Slave_SQL", SessionRole::Applier),
            ("system user", "Query", SessionRole::Applier),
            ("system user", "Connect", SessionRole::Internal),
            ("system user", "Slave_SQL", SessionRole::Applier),
            ("system user", "Slave_worker", SessionRole::Applier),
            ("system user", "Slave_IO", SessionRole::Internal),
            ("system user", "Daemon", SessionRole::Internal),
            ("event_scheduler", "Daemon", SessionRole::Internal),
            ("repl", "Binlog Dump GTID", SessionRole::Internal),
        ] {
            let session = Session { user: user.into(), command: command.into(), ..Session::default() };
            assert_eq!(super::determine_session_role(&session, false, false), expected, "{user} {command}");
            assert_eq!(super::determine_session_role(&session, false, true), SessionRole::Applier);
            assert_eq!(super::determine_session_role(&session, true, false), SessionRole::Clew);
        }
    }
}
