//! Sessions and open transactions read from a MySQL server.

use std::borrow::Cow;
use std::sync::Arc;

/// Row of `SHOW FULL PROCESSLIST`.
///
/// Text fields contain bytes because client-supplied text is not necessarily valid UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Thread id of the connection, as used in a `KILL` statement.
    pub id: u64,
    /// Account name without host.
    pub user: Vec<u8>,
    /// Client address: `host:port`, or `host` if the server reports no port.
    pub host: Vec<u8>,
    /// Default database.
    pub database: Option<Vec<u8>>,
    /// Command type: `Sleep`, `Query`, …
    pub command: Vec<u8>,
    /// Time in the current state, in seconds, or 0 if the server reported a negative or out-of-range value.
    pub seconds: u64,
    /// Thread state, as text from the server.
    pub state: Option<Vec<u8>>,
    /// Full text of the running statement.
    pub statement: Option<Vec<u8>>,
}

impl Session {
    /// Maximum plausible duration of a session state, in seconds (ten years).
    /// Counter wraparound and `SET TIMESTAMP = 1` produce implausibly long durations.
    pub const MAX_PLAUSIBLE_SECONDS_IN_STATE: i128 = 10 * 365 * 24 * 3600;

    /// Converts a `Time` value of the process list to seconds. Returns 0 for negative and implausible values.
    #[must_use]
    pub fn sanitize_duration_seconds(printed: i128) -> u64 {
        if (0..=Self::MAX_PLAUSIBLE_SECONDS_IN_STATE).contains(&printed) {
            u64::try_from(printed).unwrap_or(0)
        } else {
            0
        }
    }

    /// Returns true if the session is idle, that is, if its command is `Sleep`.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.command.eq_ignore_ascii_case(b"Sleep")
    }

    /// Returns the host without the port, for example `10.0.0.7` for `10.0.0.7:51234` or `::1` for `[::1]:51234`.
    #[must_use]
    pub fn host_without_port(&self) -> &[u8] {
        split_host_port(&self.host).0
    }
}

/// MySQL prints an IPv6 address and port as `::1:51234`; MariaDB prints `[::1]:51234` or `::1:51234`.
pub(crate) fn split_host_port(host: &[u8]) -> (&[u8], Option<&[u8]>) {
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

/// Open transaction, read from `information_schema.innodb_trx`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Id of the session that runs the transaction, or 0 for a prepared XA transaction without a session.
    pub session_id: u64,
    /// Transaction id assigned by the server. MariaDB reports 0 for every read-only transaction.
    pub id: u64,
    /// Transaction state reported by the server, usually one of [`Transaction::INNODB_TRANSACTION_STATES`].
    pub state: Cow<'static, str>,
    /// Age of the transaction in whole seconds, measured with the server's clock.
    pub seconds: u64,
    /// Lock wait time in whole seconds, or `None` if the transaction is not waiting for a lock.
    pub lock_wait_seconds: Option<u64>,
    /// Number of locked rows, as estimated by the server.
    pub rows_locked: u64,
    /// Number of locked tables, or `None` if the number is unknown.
    pub tables_locked: Option<u64>,
    /// Number of modified rows.
    pub rows_modified: u64,
}

impl Transaction {
    /// State of an active or idle transaction.
    pub const TRANSACTION_STATE_RUNNING: &'static str = "RUNNING";
    /// State of a transaction that is waiting for a lock.
    pub const TRANSACTION_STATE_LOCK_WAIT: &'static str = "LOCK WAIT";
    /// State of a transaction that is being rolled back.
    pub const TRANSACTION_STATE_ROLLING_BACK: &'static str = "ROLLING BACK";
    /// All transaction states of InnoDB.
    pub const INNODB_TRANSACTION_STATES: [&'static str; 4] = [
        Self::TRANSACTION_STATE_RUNNING,
        Self::TRANSACTION_STATE_LOCK_WAIT,
        Self::TRANSACTION_STATE_ROLLING_BACK,
        "COMMITTING",
    ];

    /// Returns true if the transaction is waiting for a lock.
    #[must_use]
    pub fn is_waiting_for_lock(&self) -> bool {
        self.state == Self::TRANSACTION_STATE_LOCK_WAIT
    }

    /// Returns true if the transaction is being rolled back.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        self.state == Self::TRANSACTION_STATE_ROLLING_BACK
    }

    /// Returns a static string for each name in [`Transaction::INNODB_TRANSACTION_STATES`]; returns other names unchanged.
    #[must_use]
    pub fn intern_transaction_state(name: String) -> Cow<'static, str> {
        let standard_name = Self::INNODB_TRANSACTION_STATES.into_iter().find(|state| *state == name);
        standard_name.map_or(Cow::Owned(name), Cow::Borrowed)
    }
}

/// Session and its open transaction.
#[derive(Debug, Clone, Copy)]
pub struct SessionRow<'a> {
    /// Session.
    pub session: &'a Session,
    /// Open transaction of the session, if the server reports one.
    pub transaction: Option<&'a Transaction>,
}

/// Session details shown in the additional columns of a detailed snapshot.
/// A field is `None` if the server does not report the value or if the field does not apply to the session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionDetail {
    /// Digest of the running statement, as reported by the server.
    pub statement_digest: Option<Vec<u8>>,
    /// Program name from the connection attribute `program_name`.
    pub program_name: Option<Arc<[u8]>>,
    /// Description of the lock that the session is waiting for.
    /// If the blocker is a transaction without a session, the description also contains the transaction id.
    pub waits_for: Option<String>,
    /// Session id of the blocker, if the session is waiting for a lock.
    pub blocker_id: Option<u64>,
    /// Session id of the root blocker that directly or indirectly blocks the session, if any.
    pub root_blocker_id: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_part_excludes_the_port() {
        for (host, name) in [
            ("10.0.0.7:51234", "10.0.0.7"),
            ("[::1]:51234", "::1"),
            ("::1:51234", "::1"),
            ("localhost", "localhost"),
            ("db.example.com:", "db.example.com:"),
            ("", ""),
        ] {
            let session = Session { host: host.into(), ..Session::default() };
            assert_eq!(session.host_without_port(), name.as_bytes(), "{host}");
        }
    }

    #[test]
    fn out_of_range_times_become_zero() {
        assert_eq!(Session::sanitize_duration_seconds(37), 37);
        assert_eq!(Session::sanitize_duration_seconds(-2), 0);
        assert_eq!(Session::sanitize_duration_seconds(4_294_967_295), 0);
        assert_eq!(Session::sanitize_duration_seconds(i128::from(u64::MAX)), 0);
        assert_eq!(Session::sanitize_duration_seconds(1_790_000_000), 0);
    }
}
