//! Sessions that belong to the server or to Clew, not to anybody's application.

use clew_model::Session;

/// Accounts under which only the server itself works.
const ACCOUNTS: [&[u8]; 2] = [b"system user", b"event_scheduler"];

/// Commands of replication and background threads. `Binlog Dump GTID` starts like `Binlog Dump`.
const COMMAND_STARTS: [&[u8]; 4] = [b"binlog dump", b"daemon", b"slave_", b"register slave"];

/// Whether a session is internal: replication, binlog dump, event scheduler, daemon (DESIGN.md section 2). Clew's own are known
/// by their ids, which the caller has.
#[must_use]
pub fn is_internal(session: &Session) -> bool {
    let starts = |start: &[u8]| session.command.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    ACCOUNTS.contains(&session.user.as_slice()) || COMMAND_STARTS.iter().any(|start| starts(start))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
