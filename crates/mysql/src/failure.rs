//! What went wrong, in Clew's words, from what the driver and the server say.

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;

use clew_model::{Failure, FailureKind, NodeUrl};
use futures_util::FutureExt;
use mysql_async::{DriverError, Error, IoError, ServerError};

/// A failure at `address` from the driver's error.
pub(crate) fn from_driver(error: &Error, address: &str) -> Failure {
    match error {
        Error::Server(error) => from_server(error, address),
        Error::Io(IoError::Tls(error)) => Failure::new(FailureKind::TlsFailed, format!("{address}: {error}")),
        Error::Io(IoError::Io(error)) => from_io(error, address),
        Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Failure::new(FailureKind::TlsFailed, format!("{address} does not offer TLS; use tls=off or tls=preferred"))
        }
        Error::Driver(DriverError::ConnectionClosed) => {
            Failure::new(FailureKind::ConnectionLost, format!("{address} closed the connection"))
        }
        Error::Driver(DriverError::UnknownAuthPlugin { name }) => Failure::new(
            FailureKind::AccessDenied,
            format!(
                "{address} wants to sign in by {name}, which Clew does not know; use another plugin for this account"
            ),
        ),
        Error::Driver(DriverError::CleartextPluginDisabled) => Failure::new(
            FailureKind::AccessDenied,
            format!("{address} wants the password in clear text; use another plugin for this account"),
        ),
        other => Failure::new(FailureKind::NotMysql, format!("{address} broke the protocol: {other}")),
    }
}

fn from_io(error: &std::io::Error, address: &str) -> Failure {
    let tls = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
    let kind = match error.kind() {
        _ if tls => FailureKind::TlsFailed,
        ErrorKind::TimedOut => FailureKind::TimedOut,
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::ConnectionAborted => FailureKind::ConnectionLost,
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::PermissionDenied => FailureKind::Unreachable,
        // The driver's own complaints about packets.
        _ => FailureKind::NotMysql,
    };
    Failure::new(kind, format!("{address}: {error}"))
}

/// Error numbers are those of MySQL's and MariaDB's manuals; both share those below 1900.
fn from_server(error: &ServerError, address: &str) -> Failure {
    let kind = match error.code {
        // Host blocked or not allowed; account, password or database refused; plugin; password expired; account locked.
        1129 | 1130 | 1044 | 1045 | 1251 | 1698 | 1820 | 1862 | 3118 | 4151 => FailureKind::AccessDenied,
        1142 | 1143 | 1227 | 1370 => FailureKind::MissingPrivilege,
        // Of the server, of the account.
        1040 | 1203 | 1226 => FailureKind::TooManyConnections,
        // Shutdown, killed query, killed connection (MySQL, MariaDB).
        1053 | 1317 | 3169 | 1927 => FailureKind::ConnectionLost,
        _ if took_too_long(error) => FailureKind::TimedOut,
        3159 => FailureKind::TlsFailed,
        _ => FailureKind::ServerError,
    };
    Failure::new(kind, format!("{address}: error {} ({}): {}", error.code, error.state, error.message))
}

/// Whether the server ended a wait or a statement because it took too long: then its answer is not known, and not that there is none.
pub(crate) fn took_too_long(error: &ServerError) -> bool {
    // Lock wait, MySQL's max_execution_time, MariaDB's max_statement_time.
    matches!(error.code, 1205 | 3024 | 1969)
}

/// A failure for a wait that ended.
pub(crate) fn timed_out(address: &str, doing: &str, limit: std::time::Duration) -> Failure {
    Failure::new(FailureKind::TimedOut, format!("{address}: no answer within {} s while {doing}", limit.as_secs_f32()))
}

/// A failure for a host name that nobody knows.
pub(crate) fn unknown_host(address: &str, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Unreachable, format!("{address}: the host name leads to no address: {error}"))
}

/// The outcome of `work`; the driver panics on some packets that no MySQL server sends, which says as much as an error.
pub(crate) async fn without_panic<T>(
    node: &NodeUrl,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let broke = |_| Err(Failure::new(FailureKind::NotMysql, format!("{} broke the protocol", node.address())));
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(broke)
}
