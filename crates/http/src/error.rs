//! Errors from starting the server, loading certificates and reading request bodies.

use std::io;
use std::path::PathBuf;

/// Error that occurred while starting the server or loading a certificate.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The maximum number of connections is 0.
    #[error("the settings allow no connection; set at least 1")]
    NoConnections,
    /// The certificate or private key file could not be read.
    #[error("could not read the TLS {what} {path}: {cause}", path = path.display())]
    Read {
        /// Expected content of the file: certificate or key.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error from the operating system.
        cause: io::Error,
    },
    /// The file contains no certificate or private key in PEM format.
    #[error("{path} contains no {what} in PEM format (-----BEGIN …)", path = path.display())]
    NotPem {
        /// Type of the missing PEM object: `certificate` or `private key`.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
    },
    /// The private key is password-protected.
    #[error("the TLS key {path} is encrypted; fix: store it without a password (openssl pkey -in …), readable only by its owner", path = path.display())]
    KeyEncrypted {
        /// Path of the file.
        path: PathBuf,
    },
    /// The private key does not match the certificate.
    #[error("the TLS key {key} does not belong to the certificate {certificate}", key = key.display(), certificate = certificate.display())]
    KeyMismatch {
        /// Path of the certificate file.
        certificate: PathBuf,
        /// Path of the key file.
        key: PathBuf,
    },
    /// The certificate or private key is corrupt or has an unsupported type.
    #[error("the TLS certificate {certificate} with the key {key} cannot be used: {cause}", key = key.display(), certificate = certificate.display())]
    Unusable {
        /// Path of the certificate file.
        certificate: PathBuf,
        /// Path of the key file.
        key: PathBuf,
        /// Error from the TLS library.
        cause: rustls::Error,
    },
}

/// Error that occurred while a request body was read.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// The body exceeds the maximum size.
    #[error("the request body is too large")]
    TooLarge,
    /// The body was not received within the timeout.
    #[error("the request body was not received in time")]
    TimedOut,
    /// The connection failed, or the transfer encoding of the request body is malformed.
    #[error("could not read the request body: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}
