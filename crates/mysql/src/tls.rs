//! How a connection is protected, in the driver's terms.

use std::fs::File;

use clew_model::{Failure, FailureKind, NodeUrl, TlsMode};
use mysql_async::SslOpts;

/// The driver forgives a certificate its name only where the checker's message holds this word, which messages of the
/// present rustls no longer do by themselves, but they quote the name that was looked for.
const FORGIVEN_NAME: &str = "NotValidForName";

/// TLS settings of a node; nothing for a plain connection.
///
/// Where the certificate is not checked, any is taken: that hides from listeners, not from whoever stands in between, as
/// MySQL's own `PREFERRED` and `REQUIRED` do.
pub(crate) fn options(node: &NodeUrl) -> Option<SslOpts> {
    let unchecked = || SslOpts::default().with_danger_accept_invalid_certs(true);
    match node.tls {
        TlsMode::Off => None,
        TlsMode::Preferred | TlsMode::Required => Some(unchecked()),
        TlsMode::VerifyCa => Some(
            trusting(node)
                .with_danger_skip_domain_validation(true)
                .with_danger_tls_hostname_override(Some(FORGIVEN_NAME)),
        ),
        TlsMode::VerifyIdentity => Some(trusting(node)),
    }
}

/// Fails where the file of authorities cannot be read: the driver's own message would not say which file it was.
pub(crate) fn check(node: &NodeUrl) -> Result<(), Failure> {
    match &node.ca {
        Some(path) if node.tls != TlsMode::Off => File::open(path).map(drop).map_err(|error| {
            Failure::new(FailureKind::TlsFailed, format!("could not read the authorities {}: {error}", path.display()))
        }),
        _ => Ok(()),
    }
}

/// With a file of authorities, only those count.
fn trusting(node: &NodeUrl) -> SslOpts {
    match &node.ca {
        Some(path) => SslOpts::default().with_root_certs(vec![path.clone().into()]).with_disable_built_in_roots(true),
        None => SslOpts::default(),
    }
}

/// Chooses the one cryptographic provider of the process, unless someone did already.
pub(crate) fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
