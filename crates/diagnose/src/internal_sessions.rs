//! Detects internal sessions: the server's replication and background threads.

use clew_model::Session;

/// The `binlog dump` prefix also matches `Binlog Dump GTID`.
const INTERNAL_COMMAND_PREFIXES: [&[u8]; 4] = [b"binlog dump", b"daemon", b"slave_", b"register slave"];

/// User name that the process list shows for replication threads and for MariaDB's background threads.
const SYSTEM_USER_NAME: &[u8] = b"system user";

/// While a replication thread connects to its source, its `Host` value is `connecting host`.
const INTERNAL_SESSION_HOSTS: [&[u8]; 2] = [b"", b"connecting host"];

/// Returns true for internal sessions, such as replication, binlog dump and event scheduler threads.
///
/// The user name alone does not identify a server thread, because a client account can be named `system user`.
/// A thread with the user name `system user` is internal only if its host or command identifies a server thread.
///
/// `is_internal_session` does not detect Clew's own sessions. The `clew-mysql` crate detects them.
///
/// `is_internal_session` does not detect a MySQL replication thread while the thread runs a trigger.
/// While a MySQL replication thread runs a trigger, the process list shows the trigger's definer as the thread's user.
/// Before each kill, the `clew-mysql` crate detects replication threads by their thread type.
#[must_use]
pub fn is_internal_session(session: &Session) -> bool {
    let has_prefix =
        |prefix: &[u8]| session.command.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    let without_client = session.user == SYSTEM_USER_NAME && INTERNAL_SESSION_HOSTS.contains(&session.host.as_slice());
    without_client || INTERNAL_COMMAND_PREFIXES.iter().any(|prefix| has_prefix(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_threads_are_internal_but_clients_with_their_names_are_not() {
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
            assert_eq!(is_internal_session(&session), internal, "{session:?}");
        }
    }
}
