//! A gate before a server: one statement stops there until it is let through. So a test has time for what, on a real server,
//! happens between two reads.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::server::Server;

/// A gate. Dropping it closes every connection that goes through it.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    stands: Arc<Stands>,
    accepting: JoinHandle<()>,
}

/// What is known at the gate.
#[derive(Debug)]
struct Stands {
    words: &'static str,
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A gate that stops every statement with these words in it. What is sent before passes.
    pub async fn before(server: &Server, words: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let stands = Arc::new(Stands { words, reached: watch::Sender::new(false), open: watch::Sender::new(false) });
        let accepting = tokio::spawn(accept(listener, server.port(), stands.clone()));
        Ok(Self { port, stands, accepting })
    }

    /// Where root signs in, through the gate. Without TLS: it must see what passes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/?tls=off", self.port)
    }

    /// Waits until a statement stands before it.
    pub async fn reached(&self) {
        // The sender is part of this gate: it cannot be gone.
        let _ = self.stands.reached.subscribe().wait_for(|reached| *reached).await;
    }

    /// Lets it through, and everything after it.
    pub fn open(&self) {
        self.stands.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: u16, stands: Arc<Stands>) {
    let mut passing = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // However a connection ends, its client sees that.
        let stands = stands.clone();
        passing.spawn(async move { pass(client, server, &stands).await.is_ok() });
    }
}

async fn pass(client: TcpStream, server: u16, stands: &Stands) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
    let (mut asks, mut answered) = client.into_split();
    let (mut answers, mut asked) = server.into_split();
    let asking = async {
        loop {
            let packet = packet(&mut asks).await?;
            if packet.windows(stands.words.len()).any(|part| part == stands.words.as_bytes()) {
                stands.reached.send_replace(true);
                stands.open.subscribe().wait_for(|open| *open).await.map_err(io::Error::other)?;
            }
            asked.write_all(&packet).await?;
        }
    };
    tokio::select! {
        ended = asking => ended,
        ended = tokio::io::copy(&mut answers, &mut answered) => ended.map(|_| ()),
    }
}

/// A packet with its head: three bytes of length and a number before its contents.
async fn packet(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let [a, b, c, _] = head;
    let mut packet = head.to_vec();
    packet.resize(head.len() + u32::from_le_bytes([a, b, c, 0]) as usize, 0);
    from.read_exact(packet.get_mut(head.len()..).unwrap_or_default()).await?;
    Ok(packet)
}
