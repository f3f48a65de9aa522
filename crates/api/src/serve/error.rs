//! Errors of the HTTP server.

use std::io;
use std::path::PathBuf;

/// Error of starting the server or loading a certificate.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings allow no connections.
    #[error("the settings allow no connection; set at least 1")]
    NoConnections,
    /// The file of the certificate or of its key could not be read.
    #[error("could not read the TLS {what} {path}: {cause}", path = path.display())]
    Read {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        cause: io::Error,
    },
    /// The file contains no certificate or private key in PEM format.
    #[error("{path} holds no {what} in PEM form (-----BEGIN …)", path = path.display())]
    NotPem {
        /// Certificate or private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The private key is encrypted with a password.
    #[error("the TLS key {path} is encrypted; write it without a password (openssl pkey -in …) and let nobody else read it", path = path.display())]
    KeyEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// The key does not belong to the certificate.
    #[error("the TLS key {key} does not belong to the certificate {certificate}", key = key.display(), certificate = certificate.display())]
    KeyMismatch {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
    },
    /// The certificate or key has an unsupported type or is corrupt.
    #[error("the TLS certificate {certificate} with the key {key} cannot be used: {cause}", key = key.display(), certificate = certificate.display())]
    Unusable {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// Error of the TLS library.
        cause: rustls::Error,
    },
}
