//! Whose each session is.

use clew_diagnose::is_internal;
use clew_diagnose::waits::SessionRole;
use clew_model::Session;

/// MariaDB's commands of threads that apply what replication brings. The account says less: in a trigger, such a thread has the
/// name of the trigger's definer (seen on 10.11).
const APPLIES: [&[u8]; 2] = [b"Slave_SQL", b"Slave_worker"];

/// The role of a session. `is_applier` is what the name of its thread says, where that could be read.
pub(crate) fn role(session: &Session, is_own: bool, is_applier: bool) -> SessionRole {
    // Of the threads of replication on MySQL, the one that only fetches never runs a query.
    let applies = || session.user == b"system user" && session.command == b"Query" && is_internal(session);
    if is_own {
        SessionRole::Clew
    } else if is_applier || APPLIES.contains(&session.command.as_slice()) || applies() {
        SessionRole::Applier
    } else if is_internal(session) {
        SessionRole::Internal
    } else {
        SessionRole::User
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appliers_are_told_from_the_threads_that_fetch() {
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
            assert_eq!(super::role(&session, false, false), expected, "{user} {command}");
            assert_eq!(super::role(&session, false, true), SessionRole::Applier);
            assert_eq!(super::role(&session, true, false), SessionRole::Clew);
        }
    }
}
