//! Simulates a malicious MySQL server that steals passwords or files, or exhausts the client's memory.

mod attack;
mod authentication;
mod password_leak;
mod responses;
mod rsa_key;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::fake_server::packets;
use crate::mysql_packets::{CLIENT_SSL, is_ssl_request, read_packet, write_packet};
use crate::tcp_service::TcpService;
pub use password_leak::LeakedPasswordEncoding;

/// Attack that a [`RogueServer`] performs on its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RogueAttack {
    /// The server requests full `caching_sha2_password` authentication to obtain the client's password.
    /// If the client does not use TLS, the rogue server sends its own RSA key.
    FullAuthentication,
    /// The server switches the authentication plugin to `mysql_clear_password`.
    ClearPassword,
    /// The server switches the authentication plugin to `mysql_old_password`.
    OldPassword,
    /// The server switches the authentication plugin to `sha256_password` and sends its own RSA key.
    Sha256Password,
    /// The server responds to process list queries with a `LOCAL INFILE` request for a file on the client's machine.
    LocalInfile(String),
    /// The server responds to `SHOW FULL PROCESSLIST` with a row whose last column is huge.
    HugePacket {
        /// Size of the last column in bytes.
        bytes: u64,
    },
    /// The server responds to process list queries with an endless stream of rows.
    EndlessRows,
    /// The server responds to process list queries with an endless stream of column definitions.
    EndlessColumns,
    /// The server responds to process list queries with a column count of 2^40 and no column definitions.
    HugeColumnCount,
    /// The server responds to process list queries with random bytes.
    Garbage,
}

/// If a statement contains one of these substrings (case-insensitive), a [`RogueServer`] responds with an attack.
pub const ATTACK_TRIGGER_SUBSTRINGS: [&str; 2] = ["processlist", "performance_schema.threads"];

/// Configuration of a [`RogueServer`].
#[derive(Debug, Clone)]
pub struct RogueServerOptions {
    /// Attack that the server carries out.
    pub mode: RogueAttack,
    /// Version that the server reports in the greeting packet and as the result of `VERSION()`.
    pub version: &'static str,
    /// If true, the server offers TLS with a self-signed certificate for `127.0.0.1`.
    pub tls: bool,
}

impl From<RogueAttack> for RogueServerOptions {
    fn from(mode: RogueAttack) -> Self {
        Self { mode, version: "9.7.0", tls: false }
    }
}

/// Simulated malicious MySQL server. Dropping the `RogueServer` stops the server.
#[derive(Debug)]
pub struct RogueServer {
    service: TcpService,
    recording: Arc<ClientPacketRecorder>,
}

#[derive(Debug, Default)]
struct ClientPacketRecorder {
    packets: Mutex<Vec<Vec<u8>>>,
    connections: AtomicUsize,
    attacks: AtomicUsize,
    bytes_sent: AtomicUsize,
}

impl RogueServer {
    /// Starts a malicious MySQL server that listens on a free port on 127.0.0.1.
    pub async fn start(options: impl Into<RogueServerOptions>) -> io::Result<Self> {
        let options = Arc::new(options.into());
        let tls = if options.tls { Some(create_tls_acceptor()?) } else { None };
        let recording = Arc::<ClientPacketRecorder>::default();
        let shared = recording.clone();
        let mut number = 0;
        let service = TcpService::start(move |stream| {
            number += 1;
            shared.connections.fetch_add(1, SeqCst);
            let connection = RogueConnection {
                stream,
                last_sequence: 0,
                number,
                options: options.clone(),
                recording: shared.clone(),
            };
            connection.serve_client(tls.clone())
        })
        .await?;
        Ok(Self { service, recording })
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// Returns the URL of the server for an account. `parameters` is a query string such as `tls=off`.
    #[must_use]
    pub fn url_for_account(&self, user: &str, password: &str, parameters: &str) -> String {
        format!("mysql://{user}:{password}@{}/?{parameters}", self.service.address)
    }

    /// Returns the number of connections that the server has accepted.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.recording.connections.load(SeqCst)
    }

    /// Returns the number of client statements to which the server has responded with an attack.
    #[must_use]
    pub fn attack_count(&self) -> usize {
        self.recording.attacks.load(SeqCst)
    }

    /// Returns the number of bytes that the server has sent as rows, column definitions or garbage in attack responses.
    /// The byte count stops increasing after the client stops reading.
    #[must_use]
    pub fn sent_attack_byte_count(&self) -> usize {
        self.recording.bytes_sent.load(SeqCst)
    }

    /// Returns the decrypted payloads of the packets that clients sent, except TLS requests, in order of arrival.
    #[must_use]
    pub fn received_packets(&self) -> Vec<Vec<u8>> {
        self.recording.packets.lock().clone()
    }

    /// Returns the encoding in which a client leaked `password`, or `None` if no client leaked the password.
    #[must_use]
    pub fn find_password_leak(&self, password: &str) -> Option<LeakedPasswordEncoding> {
        password_leak::find_password_leak(&self.received_packets(), password)
    }
}

fn create_tls_acceptor() -> io::Result<TlsAcceptor> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key));
    Ok(TlsAcceptor::from(Arc::new(config.map_err(io::Error::other)?)))
}

struct RogueConnection<S> {
    stream: S,
    last_sequence: u8,
    number: u32,
    options: Arc<RogueServerOptions>,
    recording: Arc<ClientPacketRecorder>,
}

impl RogueConnection<TcpStream> {
    async fn serve_client(mut self, tls: Option<TlsAcceptor>) -> io::Result<()> {
        let tls_capability = if tls.is_some() { CLIENT_SSL } else { 0 };
        let plugin = authentication::auth_plugin_name_in_greeting(&self.options.mode);
        let greeting = packets::encode_greeting(self.options.version, self.number, tls_capability, plugin);
        write_packet(&mut self.stream, 0, &greeting).await?;
        let (last_sequence, response) = read_packet(&mut self.stream).await?;
        let Self { stream, number, options, recording, .. } = self;
        match tls {
            Some(tls) if is_ssl_request(&response) => {
                let mut stream = tls.accept(stream).await?;
                let (last_sequence, response) = read_packet(&mut stream).await?;
                recording.packets.lock().push(response);
                RogueConnection { stream, last_sequence, number, options, recording }
                    .serve_authenticating_client()
                    .await
            }
            _ => {
                recording.packets.lock().push(response);
                RogueConnection { stream, last_sequence, number, options, recording }
                    .serve_authenticating_client()
                    .await
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RogueConnection<S> {
    async fn serve_authenticating_client(mut self) -> io::Result<()> {
        self.complete_authentication().await?;
        loop {
            self.stream.flush().await?;
            let command = self.receive_packet().await?;
            match command.split_first() {
                Some((1, _)) | None => return Ok(()),
                Some((3, statement)) => {
                    let statement = String::from_utf8_lossy(statement).to_lowercase();
                    // Clew starts each statement with a comment.
                    let statement = statement.split_once("*/ ").map_or(statement.as_str(), |(_, statement)| statement);
                    let is_attacked = match self.options.mode {
                        RogueAttack::HugePacket { .. } => statement.starts_with("show full processlist"),
                        _ => ATTACK_TRIGGER_SUBSTRINGS.iter().any(|words| statement.contains(words)),
                    };
                    if !is_attacked || !self.send_attack_after_login(statement).await? {
                        self.send_plausible_response(statement).await?;
                    }
                }
                Some(_) => write_packet(&mut self.stream, 1, &packets::OK_PACKET).await?,
            }
        }
    }

    async fn receive_packet(&mut self) -> io::Result<Vec<u8>> {
        let (last_sequence, packet) = read_packet(&mut self.stream).await?;
        self.last_sequence = last_sequence;
        self.recording.packets.lock().push(packet.clone());
        Ok(packet)
    }

    async fn send_response(&mut self, payload: &[u8]) -> io::Result<()> {
        write_packet(&mut self.stream, self.last_sequence.wrapping_add(1), payload).await
    }
}
