//! Converts client errors and server errors to [`Failure`]s.

use std::io::ErrorKind;

use clew_model::{Failure, FailureKind};

use crate::client::{Error, ServerError};
use crate::server_error_advice::{TIMEOUT_ERROR_CODES, find_advice};

pub(crate) fn failure_from_client_error(error: &Error, address: &str) -> Failure {
    let kind = match error {
        Error::Server(error) => return failure_from_server_error(error, address),
        Error::Io(error) => return failure_from_io_error(error, address),
        Error::Tls(_) | Error::PublicKey(_) | Error::TlsNotOffered { .. } => FailureKind::TlsFailed,
        Error::AuthenticationPlugin(_) | Error::UnverifiedChannel { .. } => FailureKind::AccessDenied,
        Error::TooLarge { .. } => FailureKind::ServerError,
        Error::NotMysql(_) | Error::Protocol(_) | Error::Row(_) => FailureKind::NotMysql,
    };
    let detail = format!("{address}: {error}");
    match error.fix() {
        Some(fix) => Failure::with_fix(kind, detail, fix),
        None => Failure::new(kind, detail),
    }
}

/// A server whose `init_connect` fails closes the connection after the login, with or without an error.
pub(crate) fn failure_after_login(error: &Error, address: &str) -> Failure {
    let failure = failure_from_client_error(error, address);
    if failure.kind != FailureKind::ConnectionLost || matches!(error, Error::Server(_)) {
        return failure;
    }
    let detail = format!("{} after the login", failure.detail);
    Failure::with_fix(failure.kind, detail, "correct init_connect if the server's error log reports that it failed")
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

pub(crate) fn failure_from_server_error(error: &ServerError, address: &str) -> Failure {
    let advice = find_advice(error.code);
    let detail = format!("{address}: {error}");
    match advice.fix {
        Some(fix) => Failure::with_fix(advice.kind, detail, fix),
        None => Failure::new(advice.kind, detail),
    }
}

/// Returns true if the server aborted the statement because of a timeout. The query result is then unknown, not empty.
pub(crate) fn is_server_timeout(error: &ServerError) -> bool {
    TIMEOUT_ERROR_CODES.contains(&error.code)
}
