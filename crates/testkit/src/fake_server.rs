//! Fake MySQL server, for sizes and faults that a real server cannot produce.
//!
//! It implements the part of the protocol that a driver and Clew use. It generates rows while it sends them,
//! so the number of rows does not affect its memory use.

mod connection_counter;
pub(crate) mod packets;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

pub(crate) use connection_counter::ConnectionCounter;
use connection_counter::OpenConnection;

use crate::protocol::{read_packet, write_packet};

/// Fault of a [`FakeServer`], and its trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// Accepts connections and sends nothing.
    NoGreeting,
    /// Accepts connections and closes them.
    CloseOnConnect,
    /// Sends these bytes instead of a greeting.
    RawGreeting(&'static [u8]),
    /// Rejects connections with error 1040, too many connections.
    TooManyConnections,
    /// Stops sending after this number of sessions and keeps the connection open.
    StallAfter(u64),
    /// Closes the connection after this number of sessions.
    CloseAfter(u64),
    /// Waits for this time before each session.
    DelayPerRow(Duration),
    /// Waits for this time before each response.
    DelayPerResponse(Duration),
    /// Sends an invalid packet after this number of sessions.
    InvalidPacketAfter(u64),
    /// Responds to every query with one empty string.
    EmptyRows,
}

/// Properties of a [`FakeServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FakeOptions {
    /// Number of sessions in the process list.
    pub sessions: u64,
    /// Number of sessions with an open transaction, starting with the first session.
    pub transactions: u64,
    /// Fault of the server.
    pub fault: Fault,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self { sessions: 3, transactions: 1, fault: Fault::None }
    }
}

/// A running fake server. Dropping this stops the server.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    kills: Arc<AtomicU64>,
    connections: Arc<ConnectionCounter>,
    accepting: JoinHandle<()>,
}

impl FakeServer {
    /// Starts a server on a free port of 127.0.0.1.
    pub async fn start(options: FakeOptions) -> io::Result<Self> {
        Self::start_with_counter(options, 0, Arc::default()).await
    }

    /// Starts a server whose sessions run statements of at least this size. The size must be less than 64 KiB.
    pub async fn start_with_statement_size(bytes: usize, options: FakeOptions) -> io::Result<Self> {
        Self::start_with_counter(options, bytes, Arc::default()).await
    }

    /// Starts a server that also counts its connections in the counter of a fleet.
    pub(crate) async fn start_with_counter(
        options: FakeOptions,
        statement_bytes: usize,
        fleet_counter: Arc<ConnectionCounter>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kills = Arc::new(AtomicU64::new(0));
        let kill_counter = kills.clone();
        let connections = Arc::<ConnectionCounter>::default();
        let counters = [connections.clone(), fleet_counter];
        let accepting = tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            // The ids do not overlap with those of the sessions in the process list.
            let mut id = 4_000_000_000;
            while let Ok((stream, _)) = listener.accept().await {
                let open = OpenConnection::new(counters.clone());
                let stream = BufWriter::with_capacity(BUFFER_SIZE, stream);
                let kills = kill_counter.clone();
                let user = Vec::new();
                sessions.spawn(Session { stream, id, user, options, statement_bytes, kills, _open: open }.serve());
                id += 1;
                while sessions.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, kills, connections, accepting })
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the server's URL. The server accepts every account.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://clew:secret@{}/?tls=off", self.address)
    }

    /// Returns the number of received `KILL` statements.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.kills.load(Ordering::SeqCst)
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.open()
    }

    /// Returns the maximum number of simultaneous connections.
    #[must_use]
    pub fn most_connections(&self) -> u64 {
        self.connections.max_open()
    }

    /// Returns the number of accepted connections.
    #[must_use]
    pub fn connections_taken(&self) -> u64 {
        self.connections.accepted()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Offset of the account name in the handshake response.
const USER_OFFSET: usize = 32;
/// Size of the write buffer.
const BUFFER_SIZE: usize = 64 * 1024;

struct Session {
    stream: BufWriter<TcpStream>,
    id: u32,
    /// Account name of the client.
    user: Vec<u8>,
    options: FakeOptions,
    statement_bytes: usize,
    kills: Arc<AtomicU64>,
    _open: OpenConnection,
}

impl Session {
    /// Serves the client until it disconnects, or until the fault ends the connection.
    async fn serve(mut self) -> io::Result<()> {
        match self.options.fault {
            Fault::NoGreeting => return self.wait_for_disconnect().await,
            Fault::CloseOnConnect => return Ok(()),
            Fault::RawGreeting(bytes) => {
                self.stream.write_all(bytes).await?;
                self.stream.flush().await?;
                return self.wait_for_disconnect().await;
            }
            Fault::TooManyConnections => {
                self.send(0, &packets::error(1040, "Too many connections")).await?;
                return self.stream.flush().await;
            }
            _ => {}
        }
        self.delay_response().await;
        self.send(0, &packets::greeting(self.id)).await?;
        self.stream.flush().await?;
        let response = self.receive().await?;
        self.user = response
            .get(USER_OFFSET..)
            .unwrap_or_default()
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec();
        self.delay_response().await;
        self.send(2, &packets::OK).await?;
        loop {
            self.stream.flush().await?;
            let command = self.receive().await?;
            self.delay_response().await;
            match command.split_first() {
                Some((1, _)) | None => return Ok(()),
                Some((3, statement)) => self.answer(&String::from_utf8_lossy(statement)).await?,
                Some(_) => self.send(1, &packets::OK).await?,
            }
        }
    }

    /// Delays a response if the fault requires it.
    async fn delay_response(&self) {
        if let Fault::DelayPerResponse(pause) = self.options.fault {
            sleep(pause).await;
        }
    }

    async fn answer(&mut self, statement_with_comment: &str) -> io::Result<()> {
        // Clew starts each statement with a comment.
        let statement =
            statement_with_comment.split_once("*/ ").map_or(statement_with_comment, |(_, statement)| statement);
        let row =
            |values: &[&str]| packets::row(&values.iter().map(|value| Some(value.as_bytes())).collect::<Vec<_>>());
        if self.options.fault == Fault::EmptyRows && !statement.starts_with("SET") {
            self.send_rows(1, [row(&[""])].into_iter()).await
        } else if statement.starts_with("KILL") {
            self.kills.fetch_add(1, Ordering::SeqCst);
            self.send(1, &packets::OK).await
        } else if statement.starts_with("SET") {
            self.send(1, &packets::OK).await
        } else if statement.contains("VERSION()") {
            let id = self.id.to_string();
            self.send_rows(2, [row(&["9.7.4-fake", &id])].into_iter()).await
        } else if statement.contains("server_uuid") {
            self.send_rows(2, [row(&["00000000-0000-0000-0000-000000000000", "1796000000"])].into_iter()).await
        } else if statement.starts_with("SHOW STATUS") {
            self.send_rows(2, [row(&["Ssl_cipher", ""])].into_iter()).await
        } else if statement.contains("ROLLING BACK") {
            self.send_rows(6, std::iter::empty()).await
        } else if statement.contains("innodb_trx") {
            let transactions = self.options.transactions;
            self.send_rows(8, (1..=transactions).map(transaction_row)).await
        } else if statement.contains("performance_schema.threads") {
            let ids = (1..=self.timed_sessions()).chain([self.id.into()]);
            self.send_rows(3, ids.map(thread_row)).await
        } else if statement.contains("events_statements_current") {
            let ids = (1..=self.timed_sessions()).chain([self.id.into()]);
            self.send_rows(5, ids.map(timer_row)).await
        } else if statement.contains("UNIX_TIMESTAMP()") {
            self.send_rows(3, [row(&SERVER_CLOCK)].into_iter()).await
        } else if statement.contains("performance_schema.processlist") {
            // Without rows, as with `performance_schema` off.
            self.send_rows(8, std::iter::empty()).await
        } else if statement.contains("PROCESSLIST") {
            self.send_process_list(statement_with_comment).await
        } else {
            self.send_rows(1, [row(&["0"])].into_iter()).await
        }
    }

    /// Returns the number of sessions with a statement timer: at most 10,000.
    fn timed_sessions(&self) -> u64 {
        self.options.sessions.min(10_000)
    }

    async fn send_rows(&mut self, columns: u8, rows: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
        let mut number = self.send_columns(columns).await?;
        for row in rows {
            self.send(number, &row).await?;
            number = number.wrapping_add(1);
        }
        self.send(number, &packets::EOF).await
    }

    async fn send_columns(&mut self, columns: u8) -> io::Result<u8> {
        self.send(1, &[columns]).await?;
        let mut number = 2;
        for column in 0..columns {
            self.send(number, &packets::column(&format!("c{column}"))).await?;
            number += 1;
        }
        self.send(number, &packets::EOF).await?;
        Ok(number + 1)
    }

    /// Sends the process list. The client's own session is last.
    async fn send_process_list(&mut self, statement: &str) -> io::Result<()> {
        let mut number = self.send_columns(8).await?;
        for id in 1..=self.options.sessions {
            match self.options.fault {
                Fault::StallAfter(sessions) if id > sessions => {
                    self.stream.flush().await?;
                    return self.wait_for_disconnect().await;
                }
                Fault::CloseAfter(sessions) if id > sessions => {
                    self.stream.flush().await?;
                    return Err(io::Error::other("dropped by the fault"));
                }
                Fault::InvalidPacketAfter(sessions) if id > sessions => {
                    self.send(number.wrapping_add(77), b"\x09nonsense").await?;
                    self.stream.flush().await?;
                    return self.wait_for_disconnect().await;
                }
                Fault::DelayPerRow(pause) => {
                    self.stream.flush().await?;
                    sleep(pause).await;
                }
                _ => {}
            }
            self.send(number, &session_row(id, self.statement_bytes)).await?;
            number = number.wrapping_add(1);
        }
        let (id, host) = (self.id.to_string(), self.stream.get_ref().peer_addr()?.to_string());
        let identity = [id.as_bytes(), &self.user, host.as_bytes()].map(Some);
        let activity = [None, Some(&b"Query"[..]), Some(b"0"), Some(b"init"), Some(statement.as_bytes())];
        self.send(number, &packets::row(&[identity.as_slice(), &activity].concat())).await?;
        self.send(number.wrapping_add(1), &packets::EOF).await
    }

    /// Waits until the client disconnects.
    async fn wait_for_disconnect(&mut self) -> io::Result<()> {
        let mut ignored = [0; 1024];
        while self.stream.get_mut().read(&mut ignored).await? > 0 {}
        Ok(())
    }

    async fn send(&mut self, number: u8, payload: &[u8]) -> io::Result<()> {
        write_packet(&mut self.stream, number, payload).await
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        Ok(read_packet(self.stream.get_mut()).await?.1)
    }
}

/// Returns a row of the process list with a statement of at least `statement_bytes`.
fn session_row(id: u64, statement_bytes: usize) -> Vec<u8> {
    let mut statement = format!("SELECT * FROM orders WHERE customer = {id} AND status = 'open' FOR UPDATE");
    if statement.len() < statement_bytes {
        statement.push_str(" -- ");
        statement.extend(std::iter::repeat_n('x', statement_bytes.saturating_sub(statement.len())));
    }
    packets::row(&[
        Some(id.to_string().as_bytes()),
        Some(b"app"),
        Some(format!("10.0.{}.{}:{}", id / 250 % 250, id % 250, 10_000 + id % 50_000).as_bytes()),
        Some(b"shop"),
        Some(b"Query"),
        Some((id % 100).to_string().as_bytes()),
        Some(b"Sending data"),
        Some(statement.as_bytes()),
    ])
}

/// Returns the thread row of a session. The thread id is equal to the session id.
fn thread_row(session: u64) -> Vec<u8> {
    let id = session.to_string();
    packets::row(&[Some(id.as_bytes()), Some(id.as_bytes()), Some(b"1")])
}

/// Returns the timer row of a session's statement, in picoseconds.
/// The run time is equal to the time in the process list.
fn timer_row(session: u64) -> Vec<u8> {
    let (id, run_time) = (session.to_string(), (session % 100 * 1_000_000_000_000).to_string());
    packets::row(&[Some(id.as_bytes()), Some(b"1"), Some(b"1"), Some(b"1000000000000000"), Some(run_time.as_bytes())])
}

/// Clock of the server: local time, seconds since 1970, and a flag for a last day of 86,400 seconds.
const SERVER_CLOCK: [&str; 3] = ["2026-01-01 00:00:12.500000", "1767225612", "1"];
/// Start time of every transaction, 12 seconds before the clock.
const TRANSACTION_START: &str = "2026-01-01 00:00:00";

/// Returns a transaction row, in the column order of Clew's query.
fn transaction_row(id: u64) -> Vec<u8> {
    let (id, number) = (id.to_string(), (421_000_000_000_000 + id).to_string());
    let values = [id.as_str(), &number, "RUNNING", TRANSACTION_START].map(|value| Some(value.as_bytes()));
    packets::row(&[values.as_slice(), &[None, Some(b"3"), Some(b"1"), Some(b"2")]].concat())
}
