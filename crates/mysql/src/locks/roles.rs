//! Whose each session is.

use clew_diagnose::is_internal;
use clew_diagnose::waits::SessionRole;
use clew_model::Session;

/// Commands under which what replication brings is applied. The threads that only fetch it have others, on MySQL `Connect`, on
/// MariaDB `Slave_IO`.
const APPLIES: [&[u8]; 4] = [b"Query", b"Execute", b"Slave_SQL", b"Slave_worker"];

/// The role of a session.
pub(super) fn of(session: &Session, is_own: bool) -> SessionRole {
    if is_own {
        SessionRole::Clew
    } else if session.user == b"system user" && APPLIES.contains(&session.command.as_slice()) {
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
        for (user, command, role) in [
            ("app", "Query", SessionRole::User),
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
            assert_eq!(of(&session, false), role, "{user} {command}");
            assert_eq!(of(&session, true), SessionRole::Clew);
        }
    }
}
