//! TCP forwarder that simulates a load balancer or a virtual IP address with failover.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::tcp_service::TcpService;

/// Running TCP forwarder that listens on 127.0.0.1. Dropping the forwarder closes all connections.
#[derive(Debug)]
pub struct VirtualIpProxy {
    service: TcpService,
    backends: watch::Sender<Vec<SocketAddr>>,
}

impl VirtualIpProxy {
    /// Starts a proxy that forwards connections to `backend`. [`VirtualIpProxy::fail_over_to`] changes the backend.
    pub async fn start(backend: SocketAddr) -> io::Result<Self> {
        Self::start_load_balancer(vec![backend]).await
    }

    /// Starts a load balancer that distributes connections round-robin, starting with the first backend.
    pub async fn start_load_balancer(backends: Vec<SocketAddr>) -> io::Result<Self> {
        let (backends, mut current) = watch::channel(backends);
        let mut accepted = 0_usize;
        let service = TcpService::start(move |client| {
            let backend = {
                let backends = current.borrow_and_update();
                if backends.has_changed() {
                    accepted = 0;
                }
                accepted.checked_rem(backends.len()).and_then(|turn| backends.get(turn).copied())
            };
            accepted = accepted.wrapping_add(1);
            let mut moved = current.clone();
            async move {
                tokio::select! {
                    ended = forward_connection(client, backend) => ended,
                    _ = moved.changed() => Ok(()),
                }
            }
        })
        .await?;
        Ok(Self { service, backends })
    }

    /// Returns the address of the forwarder.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// Returns the URL for an account.
    #[must_use]
    pub fn url_for_account(&self, user: &str, password: &str) -> String {
        let separator = if password.is_empty() { "" } else { ":" };
        format!("mysql://{user}{separator}{password}@{}/", self.service.address)
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

async fn forward_connection(mut client: TcpStream, backend: Option<SocketAddr>) -> io::Result<()> {
    let backend = backend.ok_or_else(|| io::Error::other("an address without a backend"))?;
    let mut server = TcpStream::connect(backend).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
