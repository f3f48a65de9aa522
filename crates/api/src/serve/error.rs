//! Errors of the HTTP server.

use std::io;
use std::path::PathBuf;

/// Error that occurred while the server started or loaded a certificate.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The maximum number of connections is 0.
    #[error("the settings allow no connection; set at least 1")]
    NoConnections,
    /// The file of the certificate or private key could not be read.
    #[error("could not read the TLS {what} {path}: {cause}", path = path.display())]
    Read {
        /// Object in the file: certificate or key.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error from the operating system.
        cause: io::Error,
    },
    /// The file contains no certificate or private key in PEM format.
    #[error("{path} holds no {what} in PEM form (-----BEGIN …)", path = path.display())]
    NotPem {
        /// Name of the missing object: certificate or private key.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
    },
    /// The private key is encrypted with a password.
    #[error("the TLS key {path} is encrypted; fix: store it without a password (openssl pkey -in …), readable only by its owner", path = path.display())]
    KeyEncrypted {
        /// Path of the file.
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
        /// Error from the TLS library.
        cause: rustls::Error,
    },
}
