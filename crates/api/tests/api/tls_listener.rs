//! TLS listener and certificate reload.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clew_http::{Listener, TlsConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::limits::{MAX_WAIT, MOMENT, read_response, read_until_closed};
use crate::server::{DOMAIN, NO_RATES, Server, test_origin};

/// A self-signed certificate for 127.0.0.1 and its key.
struct CertifiedKey {
    certificate: String,
    key: String,
}

impl CertifiedKey {
    fn new() -> Self {
        let generated = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self { certificate: generated.cert.pem(), key: generated.signing_key.serialize_pem() }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// The files of a pair.
struct Files {
    folder: TempDir,
}

impl Files {
    fn of(pair: &CertifiedKey) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(&pair.certificate, &pair.key);
        files
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("clew.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("clew.key")
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(self.certificate(), certificate).unwrap();
        fs::write(self.key(), key).unwrap();
    }

    fn load(&self) -> Result<TlsConfig, clew_http::ServeError> {
        TlsConfig::load(&self.certificate(), &self.key())
    }
}

async fn start_server(tls: &TlsConfig) -> Server {
    let tls = tls.clone();
    let listener = move |socket| Listener::with_tls(socket, tls);
    Server::start_on(listener, NO_RATES, |settings, _| settings.connections.tls_handshake_timeout = MOMENT).await
}

/// Connects as a client that trusts these certificates.
async fn connect_with(
    server: &Server,
    trusted: &[&CertifiedKey],
    version: &'static SupportedProtocolVersion,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(pair.der()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = server.connect().await;
    timeout(MAX_WAIT, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

async fn connect(server: &Server, trusted: &[&CertifiedKey]) -> TlsStream<TcpStream> {
    connect_with(server, trusted, &TLS13, &["http/1.1"]).await.unwrap()
}

/// The server's certificate.
fn peer_certificate(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

async fn assert_served(server: &Server, stream: &mut TlsStream<TcpStream>) {
    stream.write_all(server.raw("GET /v3/projects", "\r\n").as_bytes()).await.unwrap();
    assert!(read_response(stream).await.starts_with("HTTP/1.1 200 "));
}

/// Reconnects until the server presents this certificate.
async fn wait_for_certificate(server: &Server, trusted: &[&CertifiedKey], pair: &CertifiedKey) {
    for _ in 0..1000 {
        if peer_certificate(&connect(server, trusted).await) == pair.der() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the certificate is never shown");
}

#[tokio::test]
async fn tls_sets_a_host_cookie_and_hsts() {
    let pair = CertifiedKey::new();
    let server = start_server(&Files::of(&pair).load().unwrap()).await;
    let user = server.user("grace").await;
    let change = clew_store::UserChange {
        password_hash: Some(clew_iam::password::hash_password(&"correct horse battery".into()).unwrap()),
        ..Default::default()
    };
    server.store.identities().update_user(&test_origin(), &user, &change).await.unwrap();
    let mut stream = connect(&server, &[&pair]).await;
    let mut exchange = async |first_line: &str, more: &str, body: &str| {
        let request = format!(
            "{first_line} HTTP/1.1\r\nhost: {}\r\n{more}content-length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_response(&mut stream).await;
        assert!(answer.contains("\r\nstrict-transport-security: max-age=31536000\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"), "{answer}");
        answer
    };
    let body = format!(r#"{{"domain":"{DOMAIN}","user":"grace","password":"correct horse battery"}}"#);
    let signed_in = exchange("POST /clew/v1/console/session", "", &body).await;
    let name = format!("__Host-clew_session_{}", server.address.port());
    let set = format!("\r\nset-cookie: {name}=");
    let (_, rest) = signed_in.split_once(&set).unwrap_or_else(|| panic!("{signed_in}"));
    let (token, attributes) = rest.split_once(';').unwrap();
    let attributes = attributes.lines().next().unwrap();
    assert!(
        attributes.contains("Path=/") && attributes.ends_with("; Secure") && !attributes.contains("Domain"),
        "{attributes}"
    );
    let shown = exchange("GET /clew/v1/console/session", &format!("cookie: {name}={token}\r\n"), "").await;
    assert!(shown.starts_with("HTTP/1.1 200 ") && shown.contains("\r\ncache-control: no-store\r\n"), "{shown}");
    for other in ["clew_session".to_owned(), format!("{name}1"), "__Host-clew_session_443".to_owned()] {
        let refused = exchange("GET /clew/v1/console/session", &format!("cookie: {other}={token}\r\n"), "").await;
        assert!(refused.starts_with("HTTP/1.1 401 "), "{other}: {refused}");
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_served() {
    let pair = CertifiedKey::new();
    let server = start_server(&Files::of(&pair).load().unwrap()).await;
    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = connect_with(&server, &[&pair], version, &["h2", "http/1.1"]).await.unwrap();
        let tls = stream.get_ref().1;
        assert_eq!((tls.protocol_version(), tls.alpn_protocol()), (Some(number), Some(&b"http/1.1"[..])));
        assert_served(&server, &mut stream).await;
        assert_served(&server, &mut stream).await;
    }
}

#[tokio::test]
async fn unsupported_alpn_and_plain_http_are_rejected() {
    let pair = CertifiedKey::new();
    let server = start_server(&Files::of(&pair).load().unwrap()).await;
    let error = connect_with(&server, &[&pair], &TLS13, &["h2"]).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    assert!(
        connect_with(&server, &[&CertifiedKey::new()], &TLS13, &[]).await.is_err(),
        "certificate of another server"
    );
    // A plain HTTP request gets no plain response.
    let mut plain = server.connect().await;
    plain.write_all(server.raw("GET /healthz", "\r\n").as_bytes()).await.unwrap();
    assert!(!read_until_closed(&mut plain).await.starts_with(b"HTTP"));
    assert_served(&server, &mut connect(&server, &[&pair]).await).await;
}

#[tokio::test]
async fn stalled_handshake_times_out_without_delaying_others() {
    let pair = CertifiedKey::new();
    let tls = Files::of(&pair).load().unwrap();
    let listener = move |socket| Listener::with_tls(socket, tls);
    let patient =
        Server::start_on(listener, NO_RATES, |settings, _| settings.connections.tls_handshake_timeout = MAX_WAIT * 10)
            .await;
    let mut stalled = Vec::new();
    for _ in 0..50 {
        stalled.push(patient.connect().await);
    }
    assert_served(&patient, &mut connect(&patient, &[&pair]).await).await;
    for connection in &stalled {
        assert!(connection.try_read(&mut [0]).is_err(), "closed");
    }

    let server = start_server(&Files::of(&pair).load().unwrap()).await;
    for sent in [&b""[..], &[0x16, 3, 1]] {
        let mut connection = server.connect().await;
        connection.write_all(sent).await.unwrap();
        let mut received = Vec::new();
        let _ = timeout(MAX_WAIT, connection.read_to_end(&mut received)).await.unwrap();
        assert_eq!(received, b"");
    }
}

/// Connects from a local address.
async fn connect_from(server: &Server, address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(server.address).await.unwrap()
}

#[tokio::test]
async fn stalled_handshakes_release_reserved_connections() {
    let pair = CertifiedKey::new();
    let tls = Files::of(&pair).load().unwrap();
    let listener = move |socket| Listener::with_tls(socket, tls);
    let server = Server::start_on(listener, NO_RATES, |settings, _| {
        settings.connections.tls_handshake_timeout = MAX_WAIT * 10;
        settings.connections.max_connections = 1;
        settings.connections.max_reserved_connections = 4;
    })
    .await;
    let _regular = server.connect().await;
    // Each peer may have one of the four reserved connections, so four peers hold all of them.
    let mut stalled_peers = Vec::new();
    for last in 2..6 {
        stalled_peers.push(connect_from(&server, &format!("127.0.0.{last}")).await);
    }
    let mut health = connect(&server, &[&pair]).await;
    health.write_all(server.raw("GET /healthz", "\r\n").as_bytes()).await.unwrap();
    assert!(read_response(&mut health).await.ends_with("ok\n"));
}

#[tokio::test]
async fn shutdown_does_not_wait_for_handshakes() {
    let pair = CertifiedKey::new();
    let tls = Files::of(&pair).load().unwrap();
    let listener = move |socket| Listener::with_tls(socket, tls);
    let mut server = Server::start_on(listener, NO_RATES, |settings, _| {
        settings.connections.tls_handshake_timeout = MAX_WAIT * 10;
        settings.connections.shutdown_grace_period = MAX_WAIT * 10;
    })
    .await;
    let _stalled = server.connect().await;
    // A served later connection proves that the stalled one was accepted.
    assert_served(&server, &mut connect(&server, &[&pair]).await).await;
    server.shutdown.cancel();
    timeout(MAX_WAIT, &mut server.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn certificate_is_reloaded_while_old_connections_continue() {
    let (old, new) = (CertifiedKey::new(), CertifiedKey::new());
    let files = Files::of(&old);
    let tls = files.load().unwrap();
    let server = start_server(&tls).await;
    tokio::spawn(tls.watch_certificate_files(Duration::from_millis(20), server.shutdown.clone()));
    let mut early = connect(&server, &[&old, &new]).await;
    assert_eq!(peer_certificate(&early), old.der());
    files.write(&new.certificate, &new.key);
    wait_for_certificate(&server, &[&old, &new], &new).await;
    assert_served(&server, &mut connect(&server, &[&new]).await).await;
    assert_served(&server, &mut early).await;

    // The files are replaced, the key first.
    let newest = CertifiedKey::new();
    let next = files.folder.path().join("next.pem");
    fs::write(&next, &newest.certificate).unwrap();
    fs::write(files.folder.path().join("next.key"), &newest.key).unwrap();
    fs::rename(files.folder.path().join("next.key"), files.key()).unwrap();
    fs::rename(&next, files.certificate()).unwrap();
    wait_for_certificate(&server, &[&new, &newest], &newest).await;
}

#[tokio::test]
async fn invalid_certificate_files_keep_the_old_certificate() {
    let (old, new) = (CertifiedKey::new(), CertifiedKey::new());
    let files = Files::of(&old);
    let tls = files.load().unwrap();
    let server = start_server(&tls).await;
    for (certificate, key) in [
        (new.certificate.as_str(), old.key.as_str()),
        (&old.certificate, &new.key),
        ("", &new.key),
        (&new.certificate, ""),
        (&new.certificate[..300], &new.key),
    ] {
        files.write(certificate, key);
        tls.reload().unwrap_err();
        assert_eq!(peer_certificate(&connect(&server, &[&old]).await), old.der());
    }
    fs::remove_file(files.key()).unwrap();
    tls.reload().unwrap_err();
    assert_eq!(peer_certificate(&connect(&server, &[&old]).await), old.der());
    // A watcher may observe one new file before the other.
    files.write(&new.certificate, &old.key);
    tokio::spawn(tls.watch_certificate_files(Duration::from_millis(20), server.shutdown.clone()));
    assert_eq!(peer_certificate(&connect(&server, &[&old]).await), old.der());
    files.write(&new.certificate, &new.key);
    wait_for_certificate(&server, &[&old, &new], &new).await;
}

#[test]
fn invalid_certificate_files_are_reported() {
    let (pair, other) = (CertifiedKey::new(), CertifiedKey::new());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
    let not_der = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let both = format!("{}{}", pair.key, pair.certificate);
    for (certificate, key, error) in [
        (&*pair.certificate, &*pair.key, None),
        (&both, &both, None),
        ("nonsense", &pair.key, Some("contains no certificate in PEM format")),
        (&pair.key, &pair.key, Some("contains no certificate in PEM format")),
        (&pair.certificate, "", Some("contains no private key in PEM format")),
        (&pair.certificate, &pair.certificate, Some("contains no private key in PEM format")),
        (&pair.certificate, encrypted, Some("is encrypted")),
        (&pair.certificate, older, Some("is encrypted")),
        (&pair.certificate, not_der, Some("cannot be used")),
        (&pair.certificate, &other.key, Some("does not belong to the certificate")),
    ] {
        let files = Files::of(&CertifiedKey { certificate: certificate.to_owned(), key: key.to_owned() });
        let found = files.load().err().map(|error| error.to_string());
        assert_eq!(found.is_some(), error.is_some(), "{found:?}, not {error:?}");
        assert!(found.as_deref().unwrap_or_default().contains(error.unwrap_or_default()), "{found:?}, not {error:?}");
    }
    let files = Files::of(&pair);
    fs::remove_file(files.certificate()).unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.starts_with("could not read the TLS certificate ") && error.contains("No such file"), "{error}");
}

#[test]
fn world_readable_key_is_detected() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::of(&CertifiedKey::new());
    let tls = files.load().unwrap();
    for (mode, open) in [(0o600, false), (0o640, false), (0o644, true)] {
        fs::set_permissions(files.key(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(tls.is_key_world_readable(), open, "{mode:o}");
    }
}
