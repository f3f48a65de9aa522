//! Converts client errors and server errors to [`Failure`]s.

use std::io::ErrorKind;

use clew_model::{Failure, FailureKind};

use crate::client::{Error, ServerError};

pub(crate) fn failure_from_client_error(error: &Error, address: &str) -> Failure {
    let kind = match error {
        Error::Server(error) => return failure_from_server_error(error, address),
        Error::Io(error) => return failure_from_io_error(error, address),
        Error::Tls(_) | Error::PublicKey(_) | Error::TlsNotOffered { .. } => FailureKind::TlsFailed,
        Error::AuthenticationPlugin(_) | Error::UnverifiedChannel { .. } => FailureKind::AccessDenied,
        Error::TooLarge { .. } => FailureKind::ServerError,
        Error::NotMysql(_) | Error::Protocol(_) | Error::Row(_) => FailureKind::NotMysql,
    };
    Failure::new(kind, format!("{address}: {error}"))
}

pub(crate) fn too_many_connections_failure(error: &ServerError, address: &str) -> Failure {
    let detail = format!(
        "{address}: {error}. Fix: kill idle sessions or increase max_connections; for diagnosis, connect to the reserved port: \
         extra_port of MariaDB, admin_port of MySQL (requires SERVICE_CONNECTION_ADMIN)"
    );
    Failure::new(FailureKind::TooManyConnections, detail)
}

fn failure_from_io_error(error: &std::io::Error, address: &str) -> Failure {
    let tls = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
    let kind = match error.kind() {
        ErrorKind::UnexpectedEof if !tls => {
            return Failure::new(FailureKind::ConnectionLost, format!("{address}: the server closed the connection"));
        }
        _ if tls => FailureKind::TlsFailed,
        ErrorKind::TimedOut => FailureKind::TimedOut,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            FailureKind::ConnectionLost
        }
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::PermissionDenied => FailureKind::Unreachable,
        // Errors of the packet decoder.
        _ => FailureKind::NotMysql,
    };
    Failure::new(kind, format!("{address}: {error}"))
}

/// Error numbers below 1900 have the same meaning in MySQL and MariaDB.
fn failure_from_server_error(error: &ServerError, address: &str) -> Failure {
    let kind = match error.code {
        // Access denied: host blocked or not allowed; account, password or database refused; authentication plugin;
        // password expired; account locked; account blocked after failed logins (MySQL, MariaDB).
        1129 | 1130 | 1044 | 1045 | 1251 | 1698 | 1820 | 1862 | 3118 | 4151 | 3955 | 4150 => FailureKind::AccessDenied,
        1142 | 1143 | 1227 | 1370 => FailureKind::MissingPrivilege,
        // Connection limit of the server, then of the account.
        1040 | 1203 | 1226 => FailureKind::TooManyConnections,
        // Shutdown, killed query, killed connection (MySQL, MariaDB).
        1053 | 1317 | 3169 | 1927 => FailureKind::ConnectionLost,
        _ if is_server_timeout(error) => FailureKind::TimedOut,
        3159 => FailureKind::TlsFailed,
        _ => FailureKind::ServerError,
    };
    Failure::new(kind, format!("{address}: {error}"))
}

/// Returns true if the server aborted the statement because of a timeout. The query result is then unknown, not empty.
pub(crate) fn is_server_timeout(error: &ServerError) -> bool {
    // Lock wait, MySQL's max_execution_time, MariaDB's max_statement_time.
    matches!(error.code, 1205 | 3024 | 1969)
}
