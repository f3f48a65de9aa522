//! Fake MySQL server for faults and result sizes that a real server cannot produce.
//!
//! The fake server implements only the part of the MySQL protocol that Clew and database drivers use.
//! The fake server generates rows on the fly, so memory use does not depend on the number of rows.

mod connection_counter;
pub(crate) mod packets;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::time::sleep;

pub use connection_counter::ConnectionCounter;
use connection_counter::OpenConnectionGuard;

use crate::mysql_packets::{read_packet, wait_for_disconnect, write_packet};
use crate::tcp_service::TcpService;

/// Fault that a [`FakeServer`] injects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// The server accepts connections but sends no greeting packet.
    NoGreeting,
    /// The server accepts each connection and closes it immediately.
    CloseOnConnect,
    /// The server sends the given bytes instead of a greeting packet.
    RawGreeting(&'static [u8]),
    /// The server rejects each connection with the error `ER_CON_COUNT_ERROR` (1040).
    TooManyConnections,
    /// After the given number of process list rows, the server stops sending data but keeps the connection open.
    StallAfter(u64),
    /// The server closes the connection after the given number of process list rows.
    CloseAfter(u64),
    /// The server delays each process list row by the given time.
    DelayPerRow(Duration),
    /// The server waits for the given time before it sends each response.
    DelayPerResponse(Duration),
    /// The server sends an invalid packet after the given number of process list rows.
    InvalidPacketAfter(u64),
    /// The server responds to each query with one row that contains an empty string.
    EmptyRows,
    /// The server rejects queries for the variable `hostname` with the error `ER_UNKNOWN_SYSTEM_VARIABLE` (1193).
    UnknownHostname,
}

/// Configuration of a [`FakeServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FakeServerOptions {
    /// Number of sessions in the process list, without the client's own session.
    pub sessions: u64,
    /// Number of sessions with an open transaction. The process list starts with these sessions.
    pub transactions: u64,
    /// Injected fault.
    pub fault: Fault,
}

impl Default for FakeServerOptions {
    fn default() -> Self {
        Self { sessions: 3, transactions: 1, fault: Fault::None }
    }
}

/// Running fake MySQL server. Dropping it stops the server.
#[derive(Debug)]
pub struct FakeServer {
    service: TcpService,
    kills: Arc<AtomicU64>,
    /// Connection counts of the server.
    pub connections: Arc<ConnectionCounter>,
}

impl FakeServer {
    /// Starts a fake MySQL server that listens on a free port on 127.0.0.1.
    pub async fn start(options: FakeServerOptions) -> io::Result<Self> {
        Self::start_with_connection_counter(options, 0, Arc::default()).await
    }

    /// Starts a fake server whose sessions run statements of at least `bytes` bytes.
    /// `bytes` must be less than 64 KiB.
    pub async fn start_with_min_statement_size(bytes: usize, options: FakeServerOptions) -> io::Result<Self> {
        Self::start_with_connection_counter(options, bytes, Arc::default()).await
    }

    pub(crate) async fn start_with_connection_counter(
        options: FakeServerOptions,
        statement_bytes: usize,
        fleet_counter: Arc<ConnectionCounter>,
    ) -> io::Result<Self> {
        let kills = Arc::new(AtomicU64::new(0));
        let kill_counter = kills.clone();
        let connections = Arc::<ConnectionCounter>::default();
        let counters = [connections.clone(), fleet_counter];
        // Connection ids must not overlap with the session ids in the process list.
        let mut ids = 4_000_000_000..;
        let service = TcpService::start(move |stream| {
            let session = FakeSession {
                stream: BufWriter::with_capacity(WRITE_BUFFER_SIZE, stream),
                id: ids.next().unwrap_or_default(),
                user: Vec::new(),
                options,
                statement_bytes,
                kills: kill_counter.clone(),
                open_guard: OpenConnectionGuard::new(counters.clone()),
            };
            session.serve_client()
        })
        .await?;
        Ok(Self { service, kills, connections })
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// Returns the URL of the server, which accepts any account name and password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://{ACCOUNT_NAME}:secret@{}/?tls=off", self.service.address)
    }

    /// Returns the number of `KILL` statements that the server has received.
    #[must_use]
    pub fn received_kill_statement_count(&self) -> u64 {
        self.kills.load(SeqCst)
    }
}

const ACCOUNT_NAME_OFFSET_IN_HANDSHAKE: usize = 32;
const ACCOUNT_NAME: &str = "clew";
const WRITE_BUFFER_SIZE: usize = 64 * 1024;

struct FakeSession {
    stream: BufWriter<TcpStream>,
    id: u32,
    user: Vec<u8>,
    options: FakeServerOptions,
    statement_bytes: usize,
    kills: Arc<AtomicU64>,
    open_guard: OpenConnectionGuard,
}

impl FakeSession {
    async fn serve_client(mut self) -> io::Result<()> {
        match self.options.fault {
            Fault::NoGreeting => return wait_for_disconnect(self.stream.get_mut()).await,
            Fault::CloseOnConnect => return Ok(()),
            Fault::RawGreeting(bytes) => {
                self.stream.write_all(bytes).await?;
                self.stream.flush().await?;
                return wait_for_disconnect(self.stream.get_mut()).await;
            }
            Fault::TooManyConnections => {
                self.send_packet(0, &packets::encode_error_packet(1040, "Too many connections")).await?;
                return self.stream.flush().await;
            }
            _ => {}
        }
        self.delay_response().await;
        self.send_packet(0, &packets::encode_fake_server_greeting(self.id)).await?;
        self.stream.flush().await?;
        let response = self.receive_packet().await?;
        self.user = response
            .get(ACCOUNT_NAME_OFFSET_IN_HANDSHAKE..)
            .unwrap_or_default()
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec();
        if self.user == ACCOUNT_NAME.as_bytes() {
            self.open_guard.increment_login_count();
        }
        self.delay_response().await;
        self.send_packet(2, &packets::OK_PACKET).await?;
        loop {
            self.stream.flush().await?;
            let command = self.receive_packet().await?;
            self.delay_response().await;
            match command.split_first() {
                Some((1, _)) | None => return Ok(()),
                Some((3, statement)) => self.respond_to_statement(&String::from_utf8_lossy(statement)).await?,
                Some(_) => self.send_packet(1, &packets::OK_PACKET).await?,
            }
        }
    }

    async fn delay_response(&self) {
        if let Fault::DelayPerResponse(pause) = self.options.fault {
            sleep(pause).await;
        }
    }

    async fn respond_to_statement(&mut self, statement_with_comment: &str) -> io::Result<()> {
        // Each statement that Clew sends begins with a comment.
        let statement =
            statement_with_comment.split_once("*/ ").map_or(statement_with_comment, |(_, statement)| statement);
        let row = |values: &[&str]| {
            packets::encode_row(&values.iter().map(|value| Some(value.as_bytes())).collect::<Vec<_>>())
        };
        if self.options.fault == Fault::UnknownHostname && statement.contains("hostname") {
            self.send_packet(1, &packets::encode_error_packet(1193, "Unknown system variable 'hostname'")).await
        } else if self.options.fault == Fault::EmptyRows && !statement.starts_with("SET") {
            self.send_rows(1, [row(&[""])].into_iter()).await
        } else if statement.starts_with("KILL") {
            self.kills.fetch_add(1, SeqCst);
            self.send_packet(1, &packets::OK_PACKET).await
        } else if statement.starts_with("SET") {
            self.send_packet(1, &packets::OK_PACKET).await
        } else if statement.contains("hostname") {
            let id = self.id.to_string();
            self.send_rows(3, [row(&["9.7.4-fake", &id, "fake|3306|1|/data/"])].into_iter()).await
        } else if statement.contains("VERSION()") {
            let id = self.id.to_string();
            self.send_rows(2, [row(&["9.7.4-fake", &id])].into_iter()).await
        } else if statement.contains("server_uuid") {
            self.send_rows(2, [row(&["00000000-0000-0000-0000-000000000000", "1796000000"])].into_iter()).await
        } else if statement.starts_with("SHOW STATUS") {
            self.send_rows(2, [row(&["Ssl_cipher", ""])].into_iter()).await
        } else if statement.contains("ROLLING BACK") {
            self.send_rows(6, std::iter::empty()).await
        } else if statement.contains("innodb_lock_waits") {
            // MySQL 8.0 or later has the lock waits only in performance_schema.
            self.send_packet(1, &packets::encode_error_packet(1109, "Unknown table 'INNODB_LOCK_WAITS'")).await
        } else if statement.contains("innodb_trx") {
            let transactions = self.options.transactions;
            self.send_rows(8, (1..=transactions).map(encode_transaction_row)).await
        } else if statement.contains("performance_schema.threads") {
            let ids = (1..=self.count_statement_event_rows()).chain([self.id.into()]);
            self.send_rows(3, ids.map(encode_thread_row)).await
        } else if statement.contains("events_statements_current") {
            let ids = (1..=self.count_statement_event_rows()).chain([self.id.into()]);
            self.send_rows(5, ids.map(encode_statement_event_row)).await
        } else if statement.contains("UNIX_TIMESTAMP()") {
            self.send_rows(3, [row(&CLOCK_QUERY_RESULT_ROW)].into_iter()).await
        } else if statement.contains("performance_schema.processlist") {
            // A server without `performance_schema` also returns no rows.
            self.send_rows(8, std::iter::empty()).await
        } else if statement.contains("PROCESSLIST") {
            self.send_process_list(statement_with_comment).await
        } else {
            self.send_rows(1, [row(&["0"])].into_iter()).await
        }
    }

    fn count_statement_event_rows(&self) -> u64 {
        self.options.sessions.min(10_000)
    }

    async fn send_rows(&mut self, columns: usize, rows: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
        packets::send_result_set(&mut self.stream, columns, rows).await
    }

    /// The last row is the client's own session.
    async fn send_process_list(&mut self, statement: &str) -> io::Result<()> {
        let mut number = packets::send_column_definitions(&mut self.stream, 8).await?;
        for id in 1..=self.options.sessions {
            match self.options.fault {
                Fault::StallAfter(sessions) if id > sessions => {
                    self.stream.flush().await?;
                    return wait_for_disconnect(self.stream.get_mut()).await;
                }
                Fault::CloseAfter(sessions) if id > sessions => {
                    self.stream.flush().await?;
                    return Err(io::Error::other("dropped by the fault"));
                }
                Fault::InvalidPacketAfter(sessions) if id > sessions => {
                    self.send_packet(number.wrapping_add(77), b"\x09nonsense").await?;
                    self.stream.flush().await?;
                    return wait_for_disconnect(self.stream.get_mut()).await;
                }
                Fault::DelayPerRow(pause) => {
                    self.stream.flush().await?;
                    sleep(pause).await;
                }
                _ => {}
            }
            self.send_packet(number, &encode_session_row(id, self.statement_bytes)).await?;
            number = number.wrapping_add(1);
        }
        let (id, host) = (self.id.to_string(), self.stream.get_ref().peer_addr()?.to_string());
        let identity = [id.as_bytes(), &self.user, host.as_bytes()].map(Some);
        let activity = [None, Some(&b"Query"[..]), Some(b"0"), Some(b"init"), Some(statement.as_bytes())];
        self.send_packet(number, &packets::encode_row(&[identity.as_slice(), &activity].concat())).await?;
        self.send_packet(number.wrapping_add(1), &packets::EOF_PACKET).await
    }

    async fn send_packet(&mut self, number: u8, payload: &[u8]) -> io::Result<()> {
        write_packet(&mut self.stream, number, payload).await
    }

    async fn receive_packet(&mut self) -> io::Result<Vec<u8>> {
        Ok(read_packet(self.stream.get_mut()).await?.1)
    }
}

fn encode_session_row(id: u64, statement_bytes: usize) -> Vec<u8> {
    let mut statement = format!("SELECT * FROM orders WHERE customer = {id} AND status = 'open' FOR UPDATE");
    if statement.len() < statement_bytes {
        statement.push_str(" -- ");
        statement.extend(std::iter::repeat_n('x', statement_bytes.saturating_sub(statement.len())));
    }
    packets::encode_row(&[
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

fn encode_thread_row(session: u64) -> Vec<u8> {
    let id = session.to_string();
    packets::encode_row(&[Some(id.as_bytes()), Some(id.as_bytes()), Some(b"1")])
}

/// The timer values of a statement event are in picoseconds.
/// The run time matches the session's `Time` value in the process list.
fn encode_statement_event_row(session: u64) -> Vec<u8> {
    let (id, run_time) = (session.to_string(), (session % 100 * 1_000_000_000_000).to_string());
    packets::encode_row(&[
        Some(id.as_bytes()),
        Some(b"1"),
        Some(b"1"),
        Some(b"1000000000000000"),
        Some(run_time.as_bytes()),
    ])
}

/// Row that the server returns for the clock query: local time, Unix timestamp, and `1` (UTC offset unchanged).
const CLOCK_QUERY_RESULT_ROW: [&str; 3] = ["2026-01-01 00:00:12.500000", "1767225612", "1"];
const TRANSACTION_START_TIME: &str = "2026-01-01 00:00:00";

fn encode_transaction_row(id: u64) -> Vec<u8> {
    let (id, number) = (id.to_string(), (421_000_000_000_000 + id).to_string());
    let values = [id.as_str(), &number, "RUNNING", TRANSACTION_START_TIME].map(|value| Some(value.as_bytes()));
    packets::encode_row(&[values.as_slice(), &[None, Some(b"3"), Some(b"1"), Some(b"2")]].concat())
}
