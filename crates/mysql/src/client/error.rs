//! Errors of the client protocol.

use std::fmt;
use std::io;

/// An error packet of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// Number in the manuals of MySQL and MariaDB.
    pub(crate) code: u16,
    /// The message, as UTF-8; bytes that are not are replaced.
    pub(crate) message: String,
    /// SQLSTATE; `HY000` where the server sends none.
    pub(crate) state: String,
}

/// Why a connection or a statement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server refused.
    #[error("error {} ({}): {}", .0.code, .0.state, .0.message)]
    Server(ServerError),
    /// The network failed, or the server closed the connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The TLS handshake failed, or its settings are unusable.
    #[error("TLS: {0}")]
    Tls(String),
    /// TLS is required, and the server does not offer it.
    #[error("the server does not offer TLS")]
    TlsNotOffered {
        /// Whether the connection would have been allowed without TLS, had the account no password.
        preferred: bool,
    },
    /// The first bytes are not the greeting of a MySQL-compatible server.
    #[error("the peer is not a MySQL-compatible server")]
    NotMysql(Vec<u8>),
    /// The server asks for an authentication plugin that the client does not have, or that is refused.
    #[error("authentication plugin {0}")]
    AuthenticationPlugin(String),
    /// The server asks for the password itself over a channel on which the server is not authenticated.
    #[error("the server asks for the password over an unverified channel")]
    UnverifiedChannel {
        /// Whether the channel is encrypted.
        encrypted: bool,
    },
    /// The file with the server's public key cannot be used.
    #[error("{0}")]
    PublicKey(String),
    /// The server broke the protocol.
    #[error("protocol violation: {0}")]
    Protocol(&'static str),
    /// The server sent more than a limit allows.
    #[error("the server sent more than {limit} {what}")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// Its value.
        limit: u64,
    },
    /// A row has other columns or types than the statement returns on a real server.
    #[error("unexpected row: {0}")]
    Row(String),
}

impl Error {
    /// The server closed the connection.
    pub(super) fn closed() -> Self {
        io::Error::from(io::ErrorKind::UnexpectedEof).into()
    }
}

impl From<mysql_common::row::convert::FromRowError> for Error {
    fn from(error: mysql_common::row::convert::FromRowError) -> Self {
        let columns = error.0.columns_ref().iter().map(|column| format!("{:?}", column.column_type()));
        Self::Row(columns.collect::<Vec<_>>().join(", "))
    }
}

/// Longest message that is kept of an error, in bytes. Servers send at most 512.
const MAX_MESSAGE: usize = 4 << 10;

impl ServerError {
    /// Parses an error packet: `0xff`, number, optional `#` and SQLSTATE, message.
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
        let message = message.get(..MAX_MESSAGE).unwrap_or(message);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code, message: text(message), state: text(state) }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {} ({}): {}", self.code, self.state, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_of_an_error_packet_is_cut() {
        let error = ServerError::parse(&[b"\xff\x15\x04#28000".as_slice(), &vec![b'a'; 1 << 20]].concat());
        assert_eq!((error.code, error.state.as_str(), error.message.len()), (1045, "28000", MAX_MESSAGE));
    }
}
