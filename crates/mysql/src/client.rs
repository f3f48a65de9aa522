//! A client of the MySQL protocol for servers that are not trusted.
//!
//! Packets, values and authentication responses are those of `mysql_common`. This module adds what a diagnosis tool needs and
//! ready-made drivers lack ([decision 0051](../../../docs/decisions/0051-a-client-of-our-own.md)): the local address of the
//! socket, TLS negotiated on the one connection that is then used, no password over an unverified channel, and a limit on every
//! byte that a server sends.

mod authentication;
mod error;
mod packets;
mod result_set;
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clew_model::{NodeUrl, TlsMode};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::prelude::FromRow;
use mysql_common::proto::MySerialize;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;

use authentication::{Channel, Secrets};
pub(crate) use error::{Error, ServerError};
use packets::PacketStream;
pub(crate) use result_set::{Cells, Rows};

/// Longest greeting, and longest packet of the sign-in.
const MAX_HANDSHAKE_PACKET: usize = 64 << 10;
/// Longest row of a statement whose rows are small.
const MAX_SMALL_ROW: usize = 1 << 20;
/// Largest result of such a statement, which is kept in memory as a whole.
const MAX_SMALL_ROWS: usize = 256 << 20;
/// Memory of a row besides its bytes.
const ROW_OVERHEAD: usize = 64;
/// Largest packet that the client announces: the largest that any server sends.
const MAX_ANNOUNCED_PACKET: u32 = 1 << 30;
/// Silence after which the kernel probes whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Collation `utf8mb4_general_ci`, which every server since 5.5.3 has.
const UTF8MB4: u8 = 45;
/// Command byte of a statement.
const COM_QUERY: u8 = 0x03;
/// Command byte of the end of a connection.
const COM_QUIT: u8 = 0x01;
/// Start of a server's error packet.
const ERROR_PACKET: u8 = 0xff;

/// A TCP connection to a server that has not sent anything yet.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// This end.
    pub(crate) local: SocketAddr,
    peer: SocketAddr,
}

impl Socket {
    /// Connects to the first of these addresses that accepts.
    pub(crate) async fn connect(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let stream = TcpStream::connect(addresses).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Self { stream, local, peer })
    }
}

/// A signed-in connection.
#[derive(Debug)]
pub(crate) struct Client {
    packets: PacketStream,
    /// The connection id of the greeting. A proxy sends one of its own: never use it to name a session, only compare it with
    /// `CONNECTION_ID()`.
    pub(crate) greeting_id: u32,
    /// Precedes each statement as a comment, so that it identifies the connection in the process list.
    tag: String,
    in_flight: InFlight,
}

/// Whether a statement was sent whose result is not read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<AtomicBool>);

impl InFlight {
    /// Whether the server may be working.
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, in_flight: bool) {
        self.0.store(in_flight, Ordering::Release);
    }
}

impl Client {
    /// Signs in over this socket. `tag` identifies the connection: it is sent as a connection attribute, and before each statement.
    pub(crate) async fn sign_in(socket: Socket, node: &NodeUrl, tag: String, max_received: u64) -> Result<Self, Error> {
        let is_loopback = socket.peer.ip().is_loopback();
        let mut packets = PacketStream::new(Box::new(socket.stream), max_received);
        let first = packets.peek(5).await?;
        if first.is_empty() {
            return Err(Error::closed());
        }
        // Three bytes of length, the sequence number 0, then protocol version 10 or an error.
        if !matches!(first, [_, _, 0, 0, 0x0a | ERROR_PACKET, ..]) {
            return Err(Error::NotMysql(first.get(..first.len().min(32)).unwrap_or_default().to_vec()));
        }
        let greeting = packets.read(MAX_HANDSHAKE_PACKET).await?;
        if greeting.payload.first() == Some(&ERROR_PACKET) {
            return Err(Error::Server(ServerError::parse(greeting.payload)));
        }
        let greeting = ParseBuf(greeting.payload).parse::<HandshakePacket<'_>>(())?.into_owned();
        let capabilities = greeting.capabilities() & capabilities();
        let encrypted = wants_tls(node, is_loopback, greeting.capabilities())?;
        if encrypted {
            let request = SslRequest::new(capabilities | CapabilityFlags::CLIENT_SSL, MAX_ANNOUNCED_PACKET, UTF8MB4);
            packets.write(&serialized(&request)).await?;
            let (stream, sequence) = packets.into_stream();
            let stream = tls::handshake(node, stream).await?;
            packets = PacketStream::new(Box::new(stream), max_received).with_sequence(sequence);
        }
        let channel = Channel { encrypted, verified: encrypted && tls::is_verified(node), is_loopback };
        let password = node.password.as_ref().map(|password| password.expose_secret().to_owned());
        let mut secrets = Secrets::new(node, password, channel, &greeting);
        let plugin = secrets.plugin();
        let response = HandshakeResponse::new(
            secrets.first_response(),
            (5, 7, 0),
            Some(node.user.as_bytes()),
            None::<&[u8]>,
            Some(plugin),
            if encrypted { capabilities | CapabilityFlags::CLIENT_SSL } else { capabilities },
            Some(attributes(&tag)),
            MAX_ANNOUNCED_PACKET,
        );
        packets.write(&serialized(&response)).await?;
        secrets.complete(&mut packets).await?;
        let greeting_id = greeting.connection_id();
        Ok(Self { packets, greeting_id, tag, in_flight: InFlight::default() })
    }

    /// Whether a statement is under way, for a guard that outlives this.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.in_flight.clone()
    }

    /// Sends a statement. Of each row the first `max_row` bytes are kept.
    pub(crate) async fn query(&mut self, statement: &str, max_row: usize) -> Result<Rows<'_>, Error> {
        let mut payload = Vec::with_capacity(statement.len() + self.tag.len() + 8);
        payload.push(COM_QUERY);
        payload.extend_from_slice(b"/* ");
        payload.extend_from_slice(self.tag.as_bytes());
        payload.extend_from_slice(b" */ ");
        payload.extend_from_slice(statement.as_bytes());
        self.in_flight.set(true);
        self.packets.write_command(&payload).await?;
        Rows::start(&mut self.packets, &self.in_flight, max_row).await
    }

    /// Runs a statement and reads all its rows, which are small.
    pub(crate) async fn query_all<T: FromRow>(&mut self, statement: &str) -> Result<Vec<T>, Error> {
        let mut converted = Vec::new();
        self.query_each(statement, |row| converted.push(row)).await?;
        Ok(converted)
    }

    /// Runs a statement and passes each of its rows, which are small, to `take`.
    pub(crate) async fn query_each<T: FromRow>(
        &mut self,
        statement: &str,
        mut take: impl FnMut(T),
    ) -> Result<(), Error> {
        let mut rows = self.query(statement, MAX_SMALL_ROW).await?;
        let mut count = 0;
        while let Some(row) = rows.next_row().await? {
            count += 1;
            if rows.size() + count * ROW_OVERHEAD > MAX_SMALL_ROWS {
                return Err(Error::TooLarge { what: "bytes in one result", limit: MAX_SMALL_ROWS as u64 });
            }
            take(T::from_row_opt(row)?);
        }
        Ok(())
    }

    /// Runs a statement that returns no row, or none that matters.
    pub(crate) async fn execute(&mut self, statement: &str) -> Result<(), Error> {
        let mut rows = self.query(statement, MAX_SMALL_ROW).await?;
        while rows.next().await?.is_some() {}
        Ok(())
    }

    /// Closes the connection in order.
    pub(crate) async fn quit(mut self) -> Result<(), Error> {
        self.packets.write_command(&[COM_QUIT]).await
    }
}

/// What this client uses of the protocol. Without `CLIENT_LOCAL_FILES`: a server must not ask for a file. Without
/// `CLIENT_DEPRECATE_EOF`, which servers before 5.7 do not have.
fn capabilities() -> CapabilityFlags {
    CapabilityFlags::CLIENT_LONG_PASSWORD
        | CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_TRANSACTIONS
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_MULTI_RESULTS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
}

/// Whether the connection switches to TLS. An account with a password falls back to a plain connection on this machine only.
fn wants_tls(node: &NodeUrl, is_loopback: bool, server: CapabilityFlags) -> Result<bool, Error> {
    let offered = server.contains(CapabilityFlags::CLIENT_SSL);
    let has_password = node.password.as_ref().is_some_and(|password| !password.expose_secret().is_empty());
    match node.tls {
        TlsMode::Off => Ok(false),
        _ if offered => Ok(true),
        TlsMode::Preferred if is_loopback || !has_password => Ok(false),
        mode => Err(Error::TlsNotOffered { preferred: mode == TlsMode::Preferred }),
    }
}

/// What each connection reports of itself to the server.
fn attributes(tag: &str) -> HashMap<String, String> {
    HashMap::from([("program_name".to_owned(), "clew".to_owned()), ("clew_connection".to_owned(), tag.to_owned())])
}

/// A small file of the operator. Fails for one that is larger, and for a device or a pipe, which may have no end.
async fn read_file(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let metadata = tokio::fs::metadata(path).await?;
    if !metadata.is_file() || metadata.len() > max_bytes as u64 {
        return Err(io::Error::other(format!("not a file of at most {max_bytes} bytes")));
    }
    tokio::fs::read(path).await
}

fn serialized(message: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_with_a_password_does_not_fall_back_to_plain_over_the_network() {
        let with_tls = CapabilityFlags::CLIENT_SSL;
        let without = CapabilityFlags::empty();
        for (url, is_loopback, offered, expected) in [
            ("mysql://u:p@h/?tls=preferred", false, with_tls, Some(true)),
            ("mysql://u:p@h/?tls=preferred", false, without, None),
            ("mysql://u:p@h/?tls=preferred", true, without, Some(false)),
            ("mysql://u@h/?tls=preferred", false, without, Some(false)),
            ("mysql://u:p@h/", false, without, None),
            ("mysql://u:p@h/?tls=required", true, without, None),
            ("mysql://u:p@h/?tls=off", false, with_tls, Some(false)),
        ] {
            let node: NodeUrl = url.parse().unwrap();
            assert_eq!(wants_tls(&node, is_loopback, offered).ok(), expected, "{url} {is_loopback}");
        }
    }
}
