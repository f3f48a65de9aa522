//! A session and its open transaction, as a server lists them.

use std::borrow::Cow;

/// One row of `SHOW FULL PROCESSLIST`. Text is bytes: a server hands out what a client sent, valid UTF-8 or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Thread id of the connection, the number that `KILL` takes.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// `host:port` of the client; only `host` where the server was not told a port.
    pub host: Vec<u8>,
    /// Default database.
    pub database: Option<Vec<u8>>,
    /// Kind of command: `Sleep`, `Query`, …
    pub command: Vec<u8>,
    /// Seconds in the current state. What a server gives as negative or absurd arrives here as 0.
    pub seconds: u64,
    /// What the thread is doing now.
    pub state: Option<Vec<u8>>,
    /// The running statement, whole.
    pub statement: Option<Vec<u8>>,
}

impl Session {
    /// The longest time in one state that is believed: ten years. A wrapped counter and `SET TIMESTAMP = 1` both give more.
    pub const LONGEST_SECONDS: i128 = 10 * 365 * 24 * 3600;

    /// Seconds from what the server printed in `Time`; negative and absurd values become 0 (DESIGN.md section 6).
    #[must_use]
    pub fn believable_seconds(printed: i128) -> u64 {
        if (0..=Self::LONGEST_SECONDS).contains(&printed) { u64::try_from(printed).unwrap_or(0) } else { 0 }
    }

    /// The host without its port: `10.0.0.7:51234` and `[::1]:51234` give `10.0.0.7` and `::1`.
    #[must_use]
    pub fn host_part(&self) -> &[u8] {
        split_host(&self.host).0
    }
}

/// Host and, where there is one, port of what a server prints as a client's address.
///
/// MySQL prints IPv6 as `::1:51234`, MariaDB as `[::1]:51234` or `::1:51234`: the port is what follows the last colon, if
/// digits; a name without any colon has none.
pub(crate) fn split_host(host: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(colon) = host.iter().rposition(|&byte| byte == b':') else {
        return (host, None);
    };
    let (name, port) = host.split_at(colon);
    let port = port.get(1..).unwrap_or_default();
    if port.is_empty() || !port.iter().all(u8::is_ascii_digit) {
        return (host, None);
    }
    let name = name.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")).unwrap_or(name);
    (name, Some(port))
}

/// One row of `information_schema.innodb_trx`: an open transaction. Ages are of the server's own clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// The session that it belongs to; 0 for a prepared XA transaction whose session is gone.
    pub session_id: u64,
    /// The server's number of the transaction. MariaDB gives every read-only one 0.
    pub id: u64,
    /// One of [`Transaction::STATES`], or what the server calls it.
    pub state: Cow<'static, str>,
    /// Whole seconds since it began.
    pub seconds: u64,
    /// Whole seconds that it has waited for a lock; nothing if it does not wait.
    pub lock_wait_seconds: Option<u64>,
    /// Rows it has locked, as the server estimates them.
    pub rows_locked: u64,
    /// Tables it has locked; nothing where the server did not say.
    pub tables_locked: Option<u64>,
    /// Rows it has changed.
    pub rows_modified: u64,
}

impl Transaction {
    /// It does something, or nothing.
    pub const RUNNING: &'static str = "RUNNING";
    /// It waits for a lock.
    pub const LOCK_WAIT: &'static str = "LOCK WAIT";
    /// It is being undone.
    pub const ROLLING_BACK: &'static str = "ROLLING BACK";
    /// InnoDB's names for what a transaction does.
    pub const STATES: [&'static str; 4] = [Self::RUNNING, Self::LOCK_WAIT, Self::ROLLING_BACK, "COMMITTING"];

    /// Whether it waits for a lock.
    #[must_use]
    pub fn waits_for_a_lock(&self) -> bool {
        self.state == Self::LOCK_WAIT
    }

    /// Whether it is being undone.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        self.state == Self::ROLLING_BACK
    }

    /// A state by what the server calls it. The names that are known take no memory: there are many transactions, and few names.
    #[must_use]
    pub fn state_of(name: String) -> Cow<'static, str> {
        let known = Self::STATES.into_iter().find(|known| *known == name);
        known.map_or(Cow::Owned(name), Cow::Borrowed)
    }
}

/// A session joined with its open transaction.
#[derive(Debug, Clone, Copy)]
pub struct SessionRow<'a> {
    /// The session.
    pub session: &'a Session,
    /// Its open transaction, if it has one and the server showed it.
    pub transaction: Option<&'a Transaction>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port() {
        for (host, name) in [
            ("10.0.0.7:51234", "10.0.0.7"),
            ("[::1]:51234", "::1"),
            ("::1:51234", "::1"),
            ("localhost", "localhost"),
            ("db.example.com:", "db.example.com:"),
            ("", ""),
        ] {
            let session = Session { host: host.into(), ..Session::default() };
            assert_eq!(session.host_part(), name.as_bytes(), "{host}");
        }
    }

    #[test]
    fn absurd_times_become_zero() {
        assert_eq!(Session::believable_seconds(37), 37);
        assert_eq!(Session::believable_seconds(-2), 0);
        assert_eq!(Session::believable_seconds(4_294_967_295), 0);
        assert_eq!(Session::believable_seconds(i128::from(u64::MAX)), 0);
        assert_eq!(Session::believable_seconds(1_790_000_000), 0);
    }
}
