//! A server that lies: sizes and faults that real ones cannot be made to have.
//!
//! It speaks as much of the protocol as a driver needs to sign in and ask, answers what Clew asks, and makes rows as they are
//! sent: any number of them costs it nothing.

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

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It takes connections and never says a word.
    Mute,
    /// It takes connections and closes them.
    HangUp,
    /// It says this instead of a greeting.
    Says(&'static [u8]),
    /// It has no connection left (error 1040).
    TooManyConnections,
    /// It stops after this many sessions, and keeps the connection open.
    StallsAfter(u64),
    /// It closes the connection after this many sessions.
    DropsAfter(u64),
    /// It sends one session each so often.
    Drips(Duration),
    /// Each answer takes so long to come.
    Lags(Duration),
    /// After this many sessions it sends a packet that is none.
    LiesAfter(u64),
    /// It answers every question with one empty text.
    Evades,
}

/// What the server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FakeOptions {
    /// Sessions in its process list.
    pub sessions: u64,
    /// The first so many of them have an open transaction.
    pub transactions: u64,
    /// What goes wrong.
    pub fault: Fault,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self { sessions: 3, transactions: 1, fault: Fault::None }
    }
}

/// A running fake. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    kills: Arc<AtomicU64>,
    connections: Arc<ConnectionCounter>,
    accepting: JoinHandle<()>,
}

impl FakeServer {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(options: FakeOptions) -> io::Result<Self> {
        Self::start_with_counter(options, 0, Arc::default()).await
    }

    /// The same, where each session runs a statement of at least so many bytes; fewer than 64 KiB.
    pub async fn start_with_statement_size(bytes: usize, options: FakeOptions) -> io::Result<Self> {
        Self::start_with_counter(options, bytes, Arc::default()).await
    }

    /// The same as one of a fleet_counter, which counters the connections of all.
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
            // Far from the ids of the sessions that it shows.
            let mut id = 4_000_000_000;
            while let Ok((stream, _)) = listener.accept().await {
                let open = OpenConnection::of(counters.clone());
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where anybody signs in.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://clew:secret@{}/?tls=off", self.address)
    }

    /// How many `KILL` it was sent.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.kills.load(Ordering::SeqCst)
    }

    /// ConnectionCounter that are open now.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.open()
    }

    /// The most connections that were ever open at once.
    #[must_use]
    pub fn most_connections(&self) -> u64 {
        self.connections.max_open()
    }

    /// The connections that were ever taken.
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

/// Place of the account in the response to the greeting.
const USER_OFFSET: usize = 32;
/// Bytes that are gathered before they are sent.
const BUFFER_SIZE: usize = 64 * 1024;

struct Session {
    stream: BufWriter<TcpStream>,
    id: u32,
    /// Account, as the client signed in.
    user: Vec<u8>,
    options: FakeOptions,
    statement_bytes: usize,
    kills: Arc<AtomicU64>,
    _open: OpenConnection,
}

impl Session {
    /// Until the client goes, or the fault says so.
    async fn serve(mut self) -> io::Result<()> {
        match self.options.fault {
            Fault::Mute => return self.wait_for_disconnect().await,
            Fault::HangUp => return Ok(()),
            Fault::Says(bytes) => {
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

    /// The way of an answer, where that is long.
    async fn delay_response(&self) {
        if let Fault::Lags(pause) = self.options.fault {
            sleep(pause).await;
        }
    }

    async fn answer(&mut self, statement_with_comment: &str) -> io::Result<()> {
        // Clew starts each statement with a comment.
        let statement =
            statement_with_comment.split_once("*/ ").map_or(statement_with_comment, |(_, statement)| statement);
        let row =
            |values: &[&str]| packets::row(&values.iter().map(|value| Some(value.as_bytes())).collect::<Vec<_>>());
        if self.options.fault == Fault::Evades && !statement.starts_with("SET") {
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
            // As with performance_schema off.
            self.send_rows(8, std::iter::empty()).await
        } else if statement.contains("PROCESSLIST") {
            self.send_process_list(statement_with_comment).await
        } else {
            self.send_rows(1, [row(&["0"])].into_iter()).await
        }
    }

    /// Sessions whose statements are timed: the first ten thousand.
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

    /// The session that reads the list comes last.
    async fn send_process_list(&mut self, statement: &str) -> io::Result<()> {
        let mut number = self.send_columns(8).await?;
        for id in 1..=self.options.sessions {
            match self.options.fault {
                Fault::StallsAfter(sessions) if id > sessions => {
                    self.stream.flush().await?;
                    return self.wait_for_disconnect().await;
                }
                Fault::DropsAfter(sessions) if id > sessions => {
                    self.stream.flush().await?;
                    return Err(io::Error::other("dropped as told"));
                }
                Fault::LiesAfter(sessions) if id > sessions => {
                    self.send(number.wrapping_add(77), b"\x09nonsense").await?;
                    self.stream.flush().await?;
                    return self.wait_for_disconnect().await;
                }
                Fault::Drips(pause) => {
                    self.stream.flush().await?;
                    sleep(pause).await;
                }
                _ => {}
            }
            self.send(number, &session_row(id, self.statement_bytes)).await?;
            number = number.wrapping_add(1);
        }
        let (id, host) = (self.id.to_string(), self.stream.get_ref().peer_addr()?.to_string());
        let own = [id.as_bytes(), &self.user, host.as_bytes()].map(Some);
        let doing = [None, Some(&b"Query"[..]), Some(b"0"), Some(b"init"), Some(statement.as_bytes())];
        self.send(number, &packets::row(&[own.as_slice(), &doing].concat())).await?;
        self.send(number.wrapping_add(1), &packets::EOF).await
    }

    /// Until the client is gone.
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

/// A session of the process list, with a statement of at least so many bytes.
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

/// The thread of a session: its number is the session's.
fn thread_row(session: u64) -> Vec<u8> {
    let id = session.to_string();
    packets::row(&[Some(id.as_bytes()), Some(id.as_bytes()), Some(b"1")])
}

/// The timer of a session's statement, in picoseconds: it has run as long as the process list says.
fn timer_row(session: u64) -> Vec<u8> {
    let (id, lasted) = (session.to_string(), (session % 100 * 1_000_000_000_000).to_string());
    packets::row(&[Some(id.as_bytes()), Some(b"1"), Some(b"1"), Some(b"1000000000000000"), Some(lasted.as_bytes())])
}

/// The server's clock: local time, seconds since 1970, and that the last day had 86,400 seconds.
const SERVER_CLOCK: [&str; 3] = ["2026-01-01 00:00:12.500000", "1767225612", "1"];
/// Start of every transaction: 12 seconds ago.
const TRANSACTION_START: &str = "2026-01-01 00:00:00";

/// A transaction, in the order in which Clew asks for its columns.
fn transaction_row(id: u64) -> Vec<u8> {
    let (id, number) = (id.to_string(), (421_000_000_000_000 + id).to_string());
    let values = [id.as_str(), &number, "RUNNING", TRANSACTION_START].map(|value| Some(value.as_bytes()));
    packets::row(&[values.as_slice(), &[None, Some(b"3"), Some(b"1"), Some(b"2")]].concat())
}
