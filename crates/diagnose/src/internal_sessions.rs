//! Detection of internal sessions: replication and background threads of the server.

use clew_model::Session;

/// Prefixes of the commands of replication threads, background threads and binary log readers (`mysqlbinlog`).
/// `binlog dump` matches `Binlog Dump GTID` too.
const INTERNAL_COMMAND_PREFIXES: [&[u8]; 4] = [b"binlog dump", b"daemon", b"slave_", b"register slave"];

/// User of replication threads, and of MariaDB's appliers and background workers.
const SYSTEM_USER: &[u8] = b"system user";

/// Hosts of threads without a client connection: empty, or the state of a replica that connects to its source.
const NO_CLIENT_HOSTS: [&[u8]; 2] = [b"", b"connecting host"];

/// Whether a session is internal: replication, binlog dump, event scheduler, daemon (DESIGN.md section 2).
///
/// A name alone proves nothing: an account can be named `event_scheduler` or `system user`.
/// A session of such an account has a client host and the command of a client.
///
/// Two kinds of sessions are detected elsewhere.
/// The source that reads the sessions detects Clew's own.
/// On MySQL, a replication thread inside a trigger is listed under the trigger's definer.
/// Before a kill the source reads the type of the thread.
#[must_use]
pub fn is_internal(session: &Session) -> bool {
    let starts = |start: &[u8]| session.command.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    let without_client = session.user == SYSTEM_USER && NO_CLIENT_HOSTS.contains(&session.host.as_slice());
    without_client || INTERNAL_COMMAND_PREFIXES.iter().any(|start| starts(start))
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
            assert_eq!(is_internal(&session), internal, "{session:?}");
        }
    }
}
