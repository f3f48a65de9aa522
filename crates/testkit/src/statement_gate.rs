//! Proxy that holds a statement before it reaches the server, so that a test can act between two reads of Clew.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::server::Server;

/// A gate before a server. Dropping this closes all of its connections.
#[derive(Debug)]
pub struct StatementGate {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// State of a gate.
#[derive(Debug)]
struct State {
    words: &'static str,
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl StatementGate {
    /// Starts a gate that holds every statement with these words. Earlier statements pass.
    pub async fn start(server: &Server, words: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State { words, reached: watch::Sender::new(false), open: watch::Sender::new(false) });
        let accepting = tokio::spawn(accept(listener, server.port(), state.clone()));
        Ok(Self { port, state, accepting })
    }

    /// Returns the URL of root through the gate. It disables TLS, so that the gate can read the statements.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/?tls=off", self.port)
    }

    /// Waits until a statement is held.
    pub async fn wait_until_held(&self) {
        // The wait cannot fail, because this gate owns the sender.
        let _ = self.state.reached.subscribe().wait_for(|reached| *reached).await;
    }

    /// Releases the held statement and all later ones.
    pub fn release(&self) {
        self.state.open.send_replace(true);
    }
}

impl Drop for StatementGate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: u16, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // The client notices the end of a connection, so its result is ignored.
        let state = state.clone();
        connections.spawn(async move { forward(client, server, &state).await.is_ok() });
    }
}

async fn forward(client: TcpStream, server: u16, state: &State) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        loop {
            let packet = read_raw_packet(&mut from_client).await?;
            if packet.windows(state.words.len()).any(|part| part == state.words.as_bytes()) {
                state.reached.send_replace(true);
                state.open.subscribe().wait_for(|open| *open).await.map_err(io::Error::other)?;
            }
            to_server.write_all(&packet).await?;
        }
    };
    tokio::select! {
        result = requests => result,
        result = tokio::io::copy(&mut from_server, &mut to_client) => result.map(|_| ()),
    }
}

/// Reads a packet with its header: three bytes of length and a sequence number.
async fn read_raw_packet(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let [a, b, c, _] = head;
    let mut packet = head.to_vec();
    packet.resize(head.len() + u32::from_le_bytes([a, b, c, 0]) as usize, 0);
    from.read_exact(packet.get_mut(head.len()..).unwrap_or_default()).await?;
    Ok(packet)
}
