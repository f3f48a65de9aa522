//! Why the API is not served.

use std::io;
use std::path::PathBuf;

/// Why serving did not begin, or a certificate was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings allow no connection at all.
    #[error("the settings allow no connection; set at least 1")]
    NoConnections,
    /// A file of the certificate or its key could not be read.
    #[error("could not read the TLS {what} {path}: {cause}", path = path.display())]
    Read {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A file holds nothing of the kind.
    #[error("{path} holds no {what} in PEM form (-----BEGIN …)", path = path.display())]
    NotPem {
        /// Certificate or private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The key can be used only by who knows a password.
    #[error("the TLS key {path} is encrypted; write it without a password (openssl pkey -in …) and let nobody else read it", path = path.display())]
    KeyEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the TLS key {key} does not belong to the certificate {certificate}", key = key.display(), certificate = certificate.display())]
    KeyMismatch {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
    },
    /// Certificate or key is of a kind that cannot be used, or damaged.
    #[error("the TLS certificate {certificate} with the key {key} cannot be used: {cause}", key = key.display(), certificate = certificate.display())]
    Unusable {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// What the TLS library says.
        cause: rustls::Error,
    },
}
