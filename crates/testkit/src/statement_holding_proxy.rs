//! Proxy that holds back a client's statement before it reaches the database server.
//! While the proxy holds back a statement, a test can run other statements on the server.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database_server::DatabaseServer;

/// A running proxy that holds back statements. Dropping it closes all connections.
#[derive(Debug)]
pub struct StatementHoldingProxy {
    port: u16,
    state: Arc<StatementHoldingProxyState>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct StatementHoldingProxyState {
    words: &'static str,
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl StatementHoldingProxy {
    /// Starts a proxy that holds back statements that contain the text `words` and forwards all other statements.
    pub async fn start(server: &DatabaseServer, words: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(StatementHoldingProxyState {
            words,
            reached: watch::Sender::new(false),
            open: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept_connections(listener, server.port(), state.clone()));
        Ok(Self { port, state, accepting })
    }

    /// Returns the proxy's URL for the account `root`. TLS is off so that the proxy can read statements.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/?tls=off", self.port)
    }

    /// Waits until the proxy is holding back a statement.
    pub async fn wait_until_statement_is_held(&self) {
        // The wait cannot fail, because the gate owns the sender.
        let _ = self.state.reached.subscribe().wait_for(|reached| *reached).await;
    }

    /// Forwards the statement that the proxy holds back, and all subsequent statements.
    pub fn release_held_statement(&self) {
        self.state.open.send_replace(true);
    }
}

impl Drop for StatementHoldingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_connections(listener: TcpListener, server: u16, state: Arc<StatementHoldingProxyState>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // The client detects the end of a connection, so the result is ignored.
        let state = state.clone();
        connections.spawn(async move { forward_connection(client, server, &state).await.is_ok() });
    }
}

async fn forward_connection(client: TcpStream, server: u16, state: &StatementHoldingProxyState) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        loop {
            let packet = read_mysql_packet(&mut from_client).await?;
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

/// The header of a MySQL packet contains a three-byte length and a sequence number.
async fn read_mysql_packet(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let [a, b, c, _] = head;
    let mut packet = head.to_vec();
    packet.resize(head.len() + u32::from_le_bytes([a, b, c, 0]) as usize, 0);
    from.read_exact(packet.get_mut(head.len()..).unwrap_or_default()).await?;
    Ok(packet)
}
