//! Minimal MySQL client that lets tests control the sent bytes, the character set and the client address.
//!
//! The client supports only accounts without a password.
//! This client exposes protocol details to tests and uses less memory than a regular MySQL driver.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::mysql_packets::{read_packet, write_packet};

/// Character set of a client. The discriminant is the collation id that the client sends in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCharset {
    /// UTF-8.
    Utf8mb4 = 45,
    /// GBK.
    Gbk = 28,
    /// Windows-1252, called latin1 in MySQL.
    Latin1 = 8,
    /// UTF-8 with at most three bytes per character.
    Utf8mb3 = 33,
    /// Binary strings without a character set.
    Binary = 63,
}

// LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH
const CLIENT_CAPABILITY_FLAGS: u32 = 0x0000_0001 | 0x0000_0200 | 0x0000_2000 | 0x0000_8000 | 0x0008_0000;
const CLIENT_CONNECT_WITH_DB: u32 = 0x0000_0008;
const CLIENT_CONNECT_ATTRS: u32 = 0x0010_0000;
const COM_QUERY: u8 = 3;
const COM_INIT_DB: u8 = 2;

/// An open session on a MySQL server. Dropping the value closes the socket.
#[derive(Debug)]
pub struct RawSession {
    stream: TcpStream,
    /// Thread id on the server.
    pub id: u64,
    /// Address of the client socket.
    pub address: SocketAddr,
}

impl RawSession {
    /// Opens a session without a program name. The account must not have a password.
    pub async fn open(
        server: SocketAddr,
        user: &str,
        database: Option<&str>,
        charset: ClientCharset,
    ) -> io::Result<Self> {
        Self::log_in(None, server, user, database, charset).await
    }

    /// Opens a session with the program name `program`, which must have at most 195 bytes.
    pub async fn open_with_program_name(
        program: &str,
        server: SocketAddr,
        user: &str,
        database: Option<&str>,
        charset: ClientCharset,
    ) -> io::Result<Self> {
        Self::log_in(Some(program), server, user, database, charset).await
    }

    async fn log_in(
        program: Option<&str>,
        server: SocketAddr,
        user: &str,
        database: Option<&str>,
        charset: ClientCharset,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        let address = stream.local_addr()?;
        let mut session = Self { stream, id: 0, address };
        let greeting = session.receive_payload().await?;
        session.id = parse_connection_id(&greeting)?;
        let mut response = Vec::new();
        let capabilities = CLIENT_CAPABILITY_FLAGS
            | if database.is_some() { CLIENT_CONNECT_WITH_DB } else { 0 }
            | if program.is_some() { CLIENT_CONNECT_ATTRS } else { 0 };
        response.extend_from_slice(&capabilities.to_le_bytes());
        response.extend_from_slice(&(1_u32 << 26).to_le_bytes());
        response.push(charset as u8);
        response.extend_from_slice(&[0; 23]);
        response.extend_from_slice(user.as_bytes());
        response.extend_from_slice(&[0, 0]);
        if let Some(database) = database {
            response.extend_from_slice(database.as_bytes());
            response.push(0);
        }
        response.extend_from_slice(b"mysql_native_password\0");
        if let Some(program) = program {
            response.extend(encode_connection_attributes(program)?);
        }
        session.send_packet(&response, 1).await?;
        let mut response = session.receive_packet().await?;
        // The server requests a different authentication plugin. An empty response means that there is no password.
        if response.1.first() == Some(&0xfe) {
            session.send_packet(&[], response.0.wrapping_add(1)).await?;
            response = session.receive_packet().await?;
        }
        expect_ok_packet(&response.1)?;
        Ok(session)
    }

    /// Executes a statement and waits for the server's response. The statement must not return rows.
    pub async fn execute(&mut self, statement: &str) -> io::Result<()> {
        self.send_statement(statement.as_bytes()).await?;
        let response = self.receive_payload().await?;
        expect_ok_packet(&response)
    }

    /// Executes a statement and discards the rows that the server returns.
    pub async fn query(&mut self, statement: &str) -> io::Result<()> {
        self.send_statement(statement.as_bytes()).await?;
        self.skip_result_set().await
    }

    /// EOF packets mark the end of the column definitions and the end of the rows.
    async fn skip_result_set(&mut self) -> io::Result<()> {
        let mut ends = 0;
        while ends < 2 {
            let packet = self.receive_payload().await?;
            match packet.first() {
                Some(0xff) => return Err(server_rejection_error(&packet)),
                Some(0xfe) if packet.len() < 9 => ends += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits for the response to a statement sent with [`RawSession::send_statement`].
    pub async fn wait_for_response(&mut self) -> io::Result<()> {
        let first = self.receive_payload().await?;
        match first.first() {
            Some(0x00) => Ok(()),
            Some(0xff) => Err(server_rejection_error(&first)),
            _ => self.skip_result_set().await,
        }
    }

    /// Sends a statement without waiting for the response. The statement may contain arbitrary bytes.
    pub async fn send_statement(&mut self, statement: &[u8]) -> io::Result<()> {
        self.send_packet(&[&[COM_QUERY], statement].concat(), 0).await
    }

    /// Changes the default database.
    pub async fn use_database(&mut self, name: &str) -> io::Result<()> {
        self.send_packet(&[&[COM_INIT_DB], name.as_bytes()].concat(), 0).await?;
        let response = self.receive_payload().await?;
        expect_ok_packet(&response)
    }

    async fn send_packet(&mut self, payload: &[u8], number: u8) -> io::Result<()> {
        write_packet(&mut self.stream, number, payload).await?;
        self.stream.flush().await
    }

    async fn receive_payload(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.receive_packet().await?.1)
    }

    async fn receive_packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        read_packet(&mut self.stream).await
    }
}

fn encode_connection_attributes(program: &str) -> io::Result<Vec<u8>> {
    let process = std::process::id().to_string();
    let texts = ["_client_name", "clew", "_os", "Linux", "_pid", process.as_str(), "program_name", program];
    let mut pairs = Vec::new();
    for text in texts {
        pairs.push(encode_single_byte_length(text.len())?);
        pairs.extend_from_slice(text.as_bytes());
    }
    Ok([&[encode_single_byte_length(pairs.len())?], pairs.as_slice()].concat())
}

/// Lengths below 251 occupy a single byte in the MySQL protocol.
fn encode_single_byte_length(length: usize) -> io::Result<u8> {
    u8::try_from(length).ok().filter(|&length| length < 251).ok_or_else(|| io::Error::other("a name that is too long"))
}

/// The connection id follows the protocol version and the server version in a greeting packet.
fn parse_connection_id(greeting: &[u8]) -> io::Result<u64> {
    if greeting.first() == Some(&0xff) {
        return Err(server_rejection_error(greeting));
    }
    let end = greeting.iter().skip(1).position(|&byte| byte == 0).map(|at| at + 2);
    let id = end.and_then(|start| greeting.get(start..start + 4)).and_then(|id| id.try_into().ok());
    id.map(|id| u32::from_le_bytes(id).into()).ok_or_else(|| io::Error::other("a greeting without an id"))
}

fn expect_ok_packet(packet: &[u8]) -> io::Result<()> {
    if packet.first() == Some(&0) { Ok(()) } else { Err(server_rejection_error(packet)) }
}

fn server_rejection_error(packet: &[u8]) -> io::Error {
    io::Error::other(format!("the server refused: {}", String::from_utf8_lossy(packet)))
}
