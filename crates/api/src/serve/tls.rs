//! TLS on the listener: 1.3 and 1.2, for HTTP/1.1, with a certificate that can be replaced while connections are open.

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
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::error::ServeError;
use super::trace::Trace;

/// TLS with a certificate from a file, and its key from another. Clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    pub(super) files: Arc<Files>,
}

/// Where certificate and key are.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Of both files before they were read for the first time.
    pub(super) first_seen: [Option<Trace>; 2],
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Tls {
    /// Reads a certificate, with those that vouch for it behind it, and its private key, both PEM. One file may hold both.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, ServeError> {
        let first_seen = [Trace::of(certificate), Trace::of(key)];
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned(), first_seen };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let current = Arc::new(Current(RwLock::new(Arc::new(files.read(&provider)?))));
        let unusable = |cause| files.unusable(cause);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: Arc::new(config).into(), current, files: Arc::new(files) })
    }

    /// Reads both files again. New connections get what they hold now; if it cannot be used, they get what they got before.
    pub fn reload(&self) -> Result<(), ServeError> {
        let certified = self.files.read(self.acceptor.config().crypto_provider())?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }

    /// Whether anybody on this machine may read the key.
    #[must_use]
    pub fn key_is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        const OTHERS_READ: u32 = 0o004;
        self.files.key.metadata().is_ok_and(|key| key.permissions().mode() & OTHERS_READ != 0)
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, ServeError> {
        let chain = self.chain()?;
        let key = self.private_key()?;
        CertifiedKey::from_der(chain, key, provider).map_err(|cause| match cause {
            Error::InconsistentKeys(_) => {
                ServeError::KeyMismatch { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            cause => self.unusable(cause),
        })
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, ServeError> {
        let pem = read("certificate", &self.certificate)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        let damaged = CertificateDer::pem_slice_iter(&pem).any(|certificate| certificate.is_err());
        if chain.is_empty() || damaged {
            return Err(ServeError::NotPem { what: "certificate", path: self.certificate.clone() });
        }
        Ok(chain)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, ServeError> {
        let pem = read("key", &self.key)?;
        // Both forms of an encrypted key say so in clear: "BEGIN ENCRYPTED PRIVATE KEY" and "Proc-Type: 4,ENCRYPTED".
        if String::from_utf8_lossy(&pem).contains("ENCRYPTED") {
            return Err(ServeError::KeyEncrypted { path: self.key.clone() });
        }
        PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| ServeError::NotPem { what: "private key", path: self.key.clone() })
    }

    fn unusable(&self, cause: Error) -> ServeError {
        ServeError::Unusable { certificate: self.certificate.clone(), key: self.key.clone(), cause }
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|cause| ServeError::Read { what, path: path.to_owned(), cause })
}
