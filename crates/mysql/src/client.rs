//! MySQL protocol client that is safe to use with untrusted servers.
//!
//! The `mysql_common` crate provides the packet types, value conversions and authentication challenge responses.
//! Unlike existing MySQL drivers, this client has all of the following properties:
//!
//! - The client exposes the local address of its TCP connection.
//! - The client can upgrade an existing TCP connection to TLS.
//! - The client refuses to send a password over an unverified connection.
//! - The client limits the size of all data that it receives from the server.
//!
//! [Decision 0051](../../../docs/decisions/0051-mysql-client.md) explains why Clew has its own MySQL client.

mod authentication;
mod error;
mod packets;
mod result_set;
mod tls;

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

use authentication::{AuthExchange, ChannelSecurity};
pub(crate) use error::{Error, ServerError};
use packets::PacketStream;
pub(crate) use result_set::{ResultSetRows, RowCells};

use crate::read_limits::ReadSizeLimits;

const MAX_HANDSHAKE_PACKET_BYTES: usize = 64 << 10;
const MAX_BUFFERED_ROW_BYTES: usize = 1 << 20;
const BUFFERED_ROW_OVERHEAD_BYTES: usize = 64;
/// Maximum packet size advertised to the server: 1 GiB, the upper limit of `max_allowed_packet`.
const CLIENT_MAX_PACKET_SIZE: u32 = 1 << 30;
const TCP_KEEPALIVE_IDLE_TIME: Duration = Duration::from_secs(30);
/// Id of the collation `utf8mb4_general_ci`, which MySQL has supported since version 5.5.3.
const CONNECTION_COLLATION_ID: u8 = 45;
const COM_QUERY: u8 = 0x03;
const COM_QUIT: u8 = 0x01;
const ERROR_PACKET_HEADER: u8 = 0xff;

#[derive(Debug)]
pub(crate) struct TcpConnection {
    stream: TcpStream,
    pub(crate) local: SocketAddr,
    peer: SocketAddr,
}

impl TcpConnection {
    pub(crate) async fn connect(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let stream = TcpStream::connect(addresses).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(TCP_KEEPALIVE_IDLE_TIME);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Self { stream, local, peer })
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    packets: PacketStream,
    /// Connection id from the handshake packet. A proxy sends its own connection id instead of the server's.
    pub(crate) handshake_connection_id: u32,
    /// Tag that identifies the connection. Clew prefixes each statement with an SQL comment that contains the tag.
    tag: String,
    /// Shared flag that is set when the client sends a statement and cleared when the client has read the result set.
    pub(crate) in_flight: Arc<AtomicBool>,
    pub(crate) bytes: ReadSizeLimits,
}

impl Client {
    /// The client sends `tag` as a connection attribute and in an SQL comment before each statement.
    pub(crate) async fn perform_handshake(
        socket: TcpConnection,
        node: &NodeUrl,
        tag: String,
        bytes: ReadSizeLimits,
    ) -> Result<Self, Error> {
        let is_loopback = socket.peer.ip().is_loopback();
        let mut packets = PacketStream::new(Box::new(socket.stream), bytes.per_read);
        let first = packets.peek_bytes(5).await?;
        if first.is_empty() {
            return Err(Error::connection_closed_error());
        }
        // A packet starts with 3 bytes of length and sequence number 0. Then comes protocol version 10 or an error.
        if !matches!(first, [_, _, 0, 0, 0x0a | ERROR_PACKET_HEADER, ..]) {
            return Err(Error::NotMysql(first.get(..first.len().min(32)).unwrap_or_default().to_vec()));
        }
        let greeting = packets.read_packet(MAX_HANDSHAKE_PACKET_BYTES).await?;
        if greeting.payload.first() == Some(&ERROR_PACKET_HEADER) {
            return Err(Error::Server(ServerError::parse(greeting.payload)));
        }
        let greeting = ParseBuf(greeting.payload).parse::<HandshakePacket<'_>>(())?.into_owned();
        let capabilities = greeting.capabilities() & client_capabilities();
        let encrypted = should_use_tls(node, is_loopback, greeting.capabilities())?;
        if encrypted {
            let request = SslRequest::new(
                capabilities | CapabilityFlags::CLIENT_SSL,
                CLIENT_MAX_PACKET_SIZE,
                CONNECTION_COLLATION_ID,
            );
            packets.write_packet(&serialize_packet_payload(&request)).await?;
            let (stream, sequence) = packets.into_parts();
            let stream = tls::perform_tls_handshake(node, stream).await?;
            packets = PacketStream::new(Box::new(stream), bytes.per_read).with_sequence_number(sequence);
        }
        let channel =
            ChannelSecurity { encrypted, verified: encrypted && tls::tls_authenticates_server(node), is_loopback };
        let password = node.password.as_ref().map(|password| password.expose_secret().to_owned());
        let mut exchange = AuthExchange::new(node, password, channel, &greeting);
        let plugin = exchange.plugin.clone();
        let attributes = [("program_name", "clew"), ("clew_connection", tag.as_str())];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let response = HandshakeResponse::new(
            exchange.compute_challenge_response(),
            (5, 7, 0),
            Some(node.user.as_bytes()),
            None::<&[u8]>,
            Some(plugin),
            if encrypted { capabilities | CapabilityFlags::CLIENT_SSL } else { capabilities },
            Some(attributes),
            CLIENT_MAX_PACKET_SIZE,
        );
        packets.write_packet(&serialize_packet_payload(&response)).await?;
        exchange.authenticate(&mut packets).await?;
        let handshake_connection_id = greeting.connection_id();
        Ok(Self { packets, handshake_connection_id, tag, in_flight: Arc::default(), bytes })
    }

    /// Executes a query. Truncates each result row to `max_row` bytes or [`ReadSizeLimits::per_row`], whichever is smaller.
    pub(crate) async fn query(&mut self, statement: &str, max_row: usize) -> Result<ResultSetRows<'_>, Error> {
        let mut payload = Vec::with_capacity(statement.len() + self.tag.len() + 8);
        payload.push(COM_QUERY);
        payload.extend_from_slice(b"/* ");
        payload.extend_from_slice(self.tag.as_bytes());
        payload.extend_from_slice(b" */ ");
        payload.extend_from_slice(statement.as_bytes());
        self.in_flight.store(true, Ordering::Release);
        self.packets.write_command(&payload).await?;
        ResultSetRows::open_result_set(&mut self.packets, &self.in_flight, max_row.min(self.bytes.per_row)).await
    }

    /// Fails if the result set exceeds [`ReadSizeLimits::in_memory`].
    pub(crate) async fn query_all_rows<T: FromRow>(&mut self, statement: &str) -> Result<Vec<T>, Error> {
        let mut converted = Vec::new();
        self.for_each_result_row(statement, |row| converted.push(row)).await?;
        Ok(converted)
    }

    /// Fails if the result set exceeds [`ReadSizeLimits::in_memory`].
    pub(crate) async fn for_each_result_row<T: FromRow>(
        &mut self,
        statement: &str,
        mut consume: impl FnMut(T),
    ) -> Result<(), Error> {
        let limit = self.bytes.in_memory;
        let mut rows = self.query(statement, MAX_BUFFERED_ROW_BYTES).await?;
        let mut count = 0;
        while let Some(row) = rows.next_row().await? {
            count += 1;
            if rows.size + count * BUFFERED_ROW_OVERHEAD_BYTES > limit {
                return Err(Error::TooLarge { what: "bytes in one result set", limit: limit as u64 });
            }
            consume(T::from_row_opt(row)?);
        }
        Ok(())
    }

    pub(crate) async fn execute(&mut self, statement: &str) -> Result<(), Error> {
        let mut rows = self.query(statement, MAX_BUFFERED_ROW_BYTES).await?;
        while rows.next().await?.is_some() {}
        Ok(())
    }

    pub(crate) async fn quit(mut self) -> Result<(), Error> {
        self.packets.write_command(&[COM_QUIT]).await
    }
}

/// `CLIENT_LOCAL_FILES` is not set, so the server cannot request local files.
/// `CLIENT_DEPRECATE_EOF` is not set, because servers older than MySQL 5.7 do not support it.
fn client_capabilities() -> CapabilityFlags {
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

/// In TLS mode `preferred`, a client with a password uses an unencrypted connection only over loopback.
fn should_use_tls(node: &NodeUrl, is_loopback: bool, server: CapabilityFlags) -> Result<bool, Error> {
    let offered = server.contains(CapabilityFlags::CLIENT_SSL);
    let has_password = node.password.as_ref().is_some_and(|password| !password.expose_secret().is_empty());
    match node.tls {
        TlsMode::Off => Ok(false),
        _ if offered => Ok(true),
        TlsMode::Preferred if is_loopback || !has_password => Ok(false),
        mode => Err(Error::TlsNotOffered { preferred: mode == TlsMode::Preferred }),
    }
}

/// Reads a regular file of at most `max_bytes` bytes. Rejects devices and pipes, which can block a read forever.
async fn read_file_with_size_limit(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let metadata = tokio::fs::metadata(path).await?;
    if !metadata.is_file() || metadata.len() > max_bytes as u64 {
        return Err(io::Error::other(format!("not a file of at most {max_bytes} bytes")));
    }
    tokio::fs::read(path).await
}

fn serialize_packet_payload(message: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_with_a_password_does_not_fall_back_to_plain_text_over_the_network() {
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
            assert_eq!(should_use_tls(&node, is_loopback, offered).ok(), expected, "{url} {is_loopback}");
        }
    }
}
