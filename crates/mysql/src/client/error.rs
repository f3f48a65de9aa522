//! Errors of the MySQL client.

use std::io;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error {code} ({state}): {message}")]
pub(crate) struct ServerError {
    pub(crate) code: u16,
    /// Error message, with invalid UTF-8 replaced by U+FFFD.
    pub(crate) message: String,
    /// SQLSTATE of the error, or `HY000` if the error packet does not contain an SQLSTATE.
    pub(crate) state: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Server(ServerError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Tls(String),
    /// TLS mode `preferred` permits an unencrypted connection only over loopback or without a password.
    #[error(
        "the server does not offer TLS{}",
        if *preferred {
            ", and an account with a password does not fall back to an unencrypted connection over the network"
        } else {
            ""
        }
    )]
    TlsNotOffered { preferred: bool },
    /// The peer did not send a MySQL handshake packet. Contains the first bytes of the peer's response.
    #[error(
        "not a MySQL server: the first bytes of the response are \"{}\"",
        String::from_utf8_lossy(.0).escape_debug()
    )]
    NotMysql(Vec<u8>),
    #[error("the server requests the authentication plugin {0}, which Clew does not support")]
    AuthenticationPlugin(String),
    /// `encrypted` is true if the connection uses TLS.
    #[error(
        "the server requests the plain password{}",
        if *encrypted {
            ", and its certificate is not verified; the password was not sent"
        } else {
            " over a connection without TLS; the password was not sent"
        }
    )]
    UnverifiedChannel { encrypted: bool },
    #[error("{0}")]
    PublicKey(String),
    #[error("protocol violation: {0}")]
    Protocol(&'static str),
    #[error("the server sent more than {limit} {what}")]
    TooLarge {
        /// Quantity that exceeds its limit, such as `bytes in one row`.
        what: &'static str,
        limit: u64,
    },
    #[error("unexpected row: {0}")]
    Row(String),
}

impl Error {
    /// Returns the fix of an error that a URL parameter or a server setting can avoid.
    pub(crate) fn fix(&self) -> Option<&'static str> {
        match self {
            Self::TlsNotOffered { preferred: true } => {
                Some("enable TLS on the server; or, on a trusted network, set tls=off")
            }
            Self::TlsNotOffered { preferred: false } => {
                Some("enable TLS on the server; or, on a trusted network, set tls=off for an unencrypted connection")
            }
            Self::AuthenticationPlugin(_) => Some("use another plugin for this account"),
            Self::UnverifiedChannel { encrypted: true } => Some(
                "set tls=verify-ca and ca= to the server's ca.pem; or, on a trusted network, set get-server-public-key=on",
            ),
            Self::UnverifiedChannel { encrypted: false } => Some(
                "set tls=verify-ca and ca= to the server's ca.pem; or set server-public-key= to the server's public_key.pem; \
                 or, on a trusted network, set get-server-public-key=on",
            ),
            _ => None,
        }
    }

    pub(super) fn connection_closed_error() -> Self {
        io::Error::from(io::ErrorKind::UnexpectedEof).into()
    }
}

impl From<mysql_common::row::convert::FromRowError> for Error {
    fn from(error: mysql_common::row::convert::FromRowError) -> Self {
        let columns = error.0.columns_ref().iter().map(|column| format!("{:?}", column.column_type()));
        Self::Row(columns.collect::<Vec<_>>().join(", "))
    }
}

/// Size limit for received error messages. MySQL and MariaDB send error messages of at most 512 bytes.
const MAX_ERROR_MESSAGE_BYTES: usize = 4 << 10;

impl ServerError {
    /// Parses an error packet: `0xff`, error number, optional SQLSTATE value preceded by `#`, and error message.
    pub(super) fn parse(payload: &[u8]) -> Self {
        let code = match payload {
            [_, low, high, ..] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        };
        let rest = payload.get(3..).unwrap_or_default();
        let (state, message) = match rest {
            [b'#', state @ ..] if state.len() >= 5 => state.split_at(5),
            message => (b"HY000".as_slice(), message),
        };
        let message = message.get(..MAX_ERROR_MESSAGE_BYTES).unwrap_or(message);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code, message: text(message), state: text(state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_error_message_is_truncated() {
        let error = ServerError::parse(&[b"\xff\x15\x04#28000".as_slice(), &vec![b'a'; 1 << 20]].concat());
        assert_eq!((error.code, error.state.as_str(), error.message.len()), (1045, "28000", MAX_ERROR_MESSAGE_BYTES));
    }
}
