//! Performs TLS handshakes. The TLS modes correspond to the values of the `mysql` client's option `--ssl-mode`.

use std::sync::Arc;

use clew_model::{NodeUrl, TlsMode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::Error;
use super::packets::ByteStream;
use super::read_file_with_size_limit;

/// Maximum size of a CA bundle, in bytes. The limit is about five times the size of a bundle of all public CAs.
const MAX_CA_BUNDLE_BYTES: usize = 1 << 20;

/// Returns true if the TLS settings authenticate the server, so that the client may send it a plain-text password.
/// With a public CA, `verify-ca` does not authenticate the server, because the client does not check the host name.
pub(super) fn tls_authenticates_server(node: &NodeUrl) -> bool {
    node.tls == TlsMode::VerifyIdentity || (node.tls == TlsMode::VerifyCa && node.ca.is_some())
}

pub(super) async fn perform_tls_handshake(
    node: &NodeUrl,
    stream: Box<dyn ByteStream>,
) -> Result<TlsStream<Box<dyn ByteStream>>, Error> {
    let name =
        ServerName::try_from(node.host.clone()).map_err(|error| Error::Tls(format!("{}: {error}", node.host)))?;
    let connector = TlsConnector::from(Arc::new(build_tls_config(node).await?));
    connector.connect(name, stream).await.map_err(|error| {
        let is_tls = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        if is_tls { Error::Tls(error.to_string()) } else { error.into() }
    })
}

async fn build_tls_config(node: &NodeUrl) -> Result<ClientConfig, Error> {
    let failed = |error: rustls::Error| Error::Tls(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let chain = if matches!(node.tls, TlsMode::VerifyCa | TlsMode::VerifyIdentity) {
        let roots = Arc::new(load_root_certificates(node).await?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
        Some(verifier.map_err(|error| Error::Tls(error.to_string()))?)
    } else {
        None
    };
    let verifier: Arc<dyn ServerCertVerifier> = match (node.tls, chain) {
        (TlsMode::VerifyIdentity, Some(chain)) => chain,
        (_, chain) => Arc::new(HostnameIgnoringVerifier { chain, provider }),
    };
    let builder = builder.map_err(failed)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Loads the configured CA file, or the root certificates of the public CAs if no CA file is configured.
async fn load_root_certificates(node: &NodeUrl) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &node.ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let failed = |error: &dyn std::fmt::Display| {
        Error::Tls(format!("cannot read the certificates of {}: {error}", path.display()))
    };
    let bundle = read_file_with_size_limit(path, MAX_CA_BUNDLE_BYTES).await.map_err(|error| failed(&error))?;
    for certificate in CertificateDer::pem_slice_iter(&bundle) {
        roots.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"the file has no certificate in PEM form"));
    }
    Ok(roots)
}

#[derive(Debug)]
struct HostnameIgnoringVerifier {
    /// Verifier for the certificate chain, or `None` to accept any certificate.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for HostnameIgnoringVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // `rustls` compares the host name last, after it verified the chain.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn certificates_are_read_from_a_file_of_limited_size() {
        for path in ["/dev/zero", "/proc/self", "/no/such/file"] {
            let node: NodeUrl = format!("mysql://clew@db.test/?tls=verify-ca&ca={path}").parse().unwrap();
            let error = load_root_certificates(&node).await.unwrap_err().to_string();
            assert!(error.contains("cannot read the certificates"), "{error}");
        }
    }

    #[test]
    fn host_name_or_private_authority_authenticates_the_server() {
        for (parameters, verified) in [
            ("tls=required", false),
            ("tls=verify-ca", false),
            ("tls=verify-ca&ca=/etc/clew/ca.pem", true),
            ("tls=verify-identity", true),
        ] {
            let node: NodeUrl = format!("mysql://clew@db.test/?{parameters}").parse().unwrap();
            assert_eq!(tls_authenticates_server(&node), verified, "{parameters}");
        }
    }
}
