//! TLS 1.2 and 1.3 for HTTP/1.1, with a certificate that can be replaced at runtime.

mod cert_reload;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::ServeError;
use cert_reload::{FileFingerprint, read_file_fingerprint};

/// TLS configuration with a certificate and private key loaded from files. Clones share the same certificate.
#[derive(Clone)]
pub struct TlsConfig {
    acceptor: TlsAcceptor,
    current: Arc<ReloadableCertResolver>,
    files: Arc<CertificateFiles>,
}

#[derive(Debug)]
struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// Read before the files are loaded, so that a change during the load is detected later.
    initial_fingerprints: [FileFingerprint; 2],
}

#[derive(Debug)]
struct ReloadableCertResolver(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for ReloadableCertResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl TlsConfig {
    /// Loads a PEM certificate chain, leaf first, and its private key. A single file may contain both.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, ServeError> {
        let initial_fingerprints = [read_file_fingerprint(certificate), read_file_fingerprint(key)];
        let files = CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned(), initial_fingerprints };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let current = Arc::new(ReloadableCertResolver(RwLock::new(Arc::new(files.load_certified_key(&provider)?))));
        let unusable = |cause| files.unusable_certificate_error(cause);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: Arc::new(config).into(), current, files: Arc::new(files) })
    }

    /// Reloads the certificate and key for new connections. On failure, the previous certificate remains in use.
    pub fn reload(&self) -> Result<(), ServeError> {
        let certified = self.files.load_certified_key(self.acceptor.config().crypto_provider())?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }

    /// Returns `true` if the key file is readable by all users on the machine.
    #[must_use]
    pub fn is_key_world_readable(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        const WORLD_READABLE_MODE_BIT: u32 = 0o004;
        self.files.key.metadata().is_ok_and(|key| key.permissions().mode() & WORLD_READABLE_MODE_BIT != 0)
    }

    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.acceptor.accept(stream).await
    }
}

impl std::fmt::Debug for TlsConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl CertificateFiles {
    fn load_certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, ServeError> {
        let chain = self.read_certificate_chain()?;
        let key = self.read_private_key()?;
        CertifiedKey::from_der(chain, key, provider).map_err(|cause| match cause {
            Error::InconsistentKeys(_) => {
                ServeError::KeyMismatch { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            cause => self.unusable_certificate_error(cause),
        })
    }

    fn read_certificate_chain(&self) -> Result<Vec<CertificateDer<'static>>, ServeError> {
        let pem = read_pem_file("certificate", &self.certificate)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        let is_corrupt = CertificateDer::pem_slice_iter(&pem).any(|certificate| certificate.is_err());
        if chain.is_empty() || is_corrupt {
            return Err(ServeError::NotPem { what: "certificate", path: self.certificate.clone() });
        }
        Ok(chain)
    }

    fn read_private_key(&self) -> Result<PrivateKeyDer<'static>, ServeError> {
        let pem = read_pem_file("key", &self.key)?;
        // Both encrypted key formats contain this word: "BEGIN ENCRYPTED PRIVATE KEY" and "Proc-Type: 4,ENCRYPTED".
        if String::from_utf8_lossy(&pem).contains("ENCRYPTED") {
            return Err(ServeError::KeyEncrypted { path: self.key.clone() });
        }
        PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| ServeError::NotPem { what: "private key", path: self.key.clone() })
    }

    fn unusable_certificate_error(&self, cause: Error) -> ServeError {
        ServeError::Unusable { certificate: self.certificate.clone(), key: self.key.clone(), cause }
    }
}

fn read_pem_file(what: &'static str, path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|cause| ServeError::Read { what, path: path.to_owned(), cause })
}
