//! HTTPS: servers with trusted and untrusted certificates.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use clew_client::{Client, ClientConfig, ClientError, CollectionStatus, ProjectRef, Settings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::loopback_server::{access_key, fast_settings, instance, node, project, request_id};

pub(crate) const AUTHORITY: &str = include_str!("../fixtures/tls/authority.pem");
const OTHER_AUTHORITY: &str = include_str!("../fixtures/tls/other-authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../fixtures/tls/server.key");

/// Accepts one connection and serves one request. Returns the request, or `None` if TLS failed.
fn serve_once() -> (String, JoinHandle<Option<String>>) {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            request.push(byte[0]);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\nconnection: close\r\n\r\n{\"status\":\"running\"}")
            .unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        Some(String::from_utf8(request).unwrap())
    });
    (endpoint, serving)
}

async fn request_status(endpoint: &str, authority: &str) -> Result<CollectionStatus, ClientError> {
    let config = ClientConfig {
        settings: Settings { max_attempts: 1, ..fast_settings() },
        ca_certificates: vec![authority.into()],
        ..ClientConfig::new(endpoint, access_key(), ProjectRef::Project(project()))
    };
    Client::new(config).unwrap().fetch_collection_status(&instance(), &node(), &request_id()).await
}

#[tokio::test]
async fn trusted_server_receives_an_http_1_request_with_the_signed_host() {
    let (endpoint, serving) = serve_once();
    assert_eq!(request_status(&endpoint, AUTHORITY).await.unwrap(), CollectionStatus::Running);
    let request = serving.join().unwrap().unwrap();
    assert!(request.starts_with("GET /v3/"), "{request}");
    let host = format!("host: {}\r\n", endpoint.strip_prefix("https://").unwrap());
    assert_eq!(request.matches(&host).count(), 1, "{request}");
}

#[tokio::test]
async fn untrusted_server_receives_no_request() {
    let (endpoint, serving) = serve_once();
    let error = request_status(&endpoint, OTHER_AUTHORITY).await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("certificate: UnknownIssuer"), "{error}");
    assert_eq!(serving.join().unwrap(), None);
}
