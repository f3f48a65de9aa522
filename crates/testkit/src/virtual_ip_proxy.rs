//! TCP forwarder that simulates a load balancer or a virtual IP address with failover.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A running TCP forwarder that listens on 127.0.0.1. Dropping it closes all connections.
#[derive(Debug)]
pub struct VirtualIpProxy {
    address: SocketAddr,
    backends: watch::Sender<Vec<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl VirtualIpProxy {
    /// Starts a forwarder that has one backend. [`VirtualIpProxy::fail_over_to`] changes the backend.
    pub async fn start(backend: SocketAddr) -> io::Result<Self> {
        Self::start_load_balancer(vec![backend]).await
    }

    /// Starts a load balancer that distributes connections round-robin, starting with the first backend.
    pub async fn start_load_balancer(backends: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let backends = watch::Sender::new(backends);
        let accepting = tokio::spawn(accept_connections(listener, backends.subscribe()));
        Ok(Self { address, backends, accepting })
    }

    /// Returns the address of the forwarder.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for an account.
    #[must_use]
    pub fn url_for_account(&self, user: &str, password: &str) -> String {
        let separator = if password.is_empty() { "" } else { ":" };
        format!("mysql://{user}{separator}{password}@{}/", self.address)
    }

    /// Closes all open connections and forwards new connections to the server at `backend`.
    pub fn fail_over_to(&self, backend: SocketAddr) {
        self.replace_backends(vec![backend]);
    }

    /// Closes all open connections and distributes new connections round-robin, starting with the first backend.
    pub fn replace_backends(&self, backends: Vec<SocketAddr>) {
        self.backends.send_replace(backends);
    }
}

impl Drop for VirtualIpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_connections(listener: TcpListener, mut backends: watch::Receiver<Vec<SocketAddr>>) {
    let mut forwarding = JoinSet::new();
    let mut accepted = 0_usize;
    while let Ok((client, _)) = listener.accept().await {
        let backend = {
            let backends = backends.borrow_and_update();
            if backends.has_changed() {
                accepted = 0;
            }
            accepted.checked_rem(backends.len()).and_then(|turn| backends.get(turn).copied())
        };
        accepted = accepted.wrapping_add(1);
        let mut moved = backends.clone();
        forwarding.spawn(async move {
            // The client detects the end of a connection, so the result is ignored.
            tokio::select! {
                ended = forward_connection(client, backend) => ended.is_ok(),
                _ = moved.changed() => false,
            }
        });
        while forwarding.try_join_next().is_some() {}
    }
}

async fn forward_connection(mut client: TcpStream, backend: Option<SocketAddr>) -> io::Result<()> {
    let backend = backend.ok_or_else(|| io::Error::other("an address without a backend"))?;
    let mut server = TcpStream::connect(backend).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
