//! TCP proxy that stalls, throttles or closes connections between a client and a server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::tcp_service::TcpService;

/// Defines how a [`FaultInjectionProxy`] handles traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficMode {
    /// The proxy forwards all data.
    Forward,
    /// The proxy holds back all data. If one side closes its connection, the proxy keeps the other connection open.
    /// After a stall, the proxy forwards all buffered data, as TCP does after a network outage.
    Stall,
    /// The proxy closes new connections immediately and open connections as soon as either side sends data.
    Reset,
    /// The proxy waits for the given time before it forwards each chunk of up to 16 KiB.
    Throttle(Duration),
}

/// Proxy that listens on 127.0.0.1. Dropping the proxy closes all of its connections.
#[derive(Debug)]
pub struct FaultInjectionProxy {
    service: TcpService,
    traffic: watch::Sender<TrafficMode>,
}

const MAX_CHUNK_SIZE: usize = 16 << 10;

impl FaultInjectionProxy {
    /// Starts a proxy for the server at `target`.
    /// If the target server is down, the proxy accepts each connection and then closes it.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let (traffic, current) = watch::channel(TrafficMode::Forward);
        let service = TcpService::start(move |client| forward_connection(client, target, current.clone())).await?;
        Ok(Self { service, traffic })
    }

    /// Returns the address of the proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// Sets the traffic mode for existing and future connections through the proxy.
    pub fn set_traffic_mode(&self, traffic: TrafficMode) {
        self.traffic.send_replace(traffic);
    }
}

async fn forward_connection(
    client: TcpStream,
    target: SocketAddr,
    mut traffic: watch::Receiver<TrafficMode>,
) -> io::Result<()> {
    wait_while_stalled(&mut traffic).await?;
    let server = TcpStream::connect(target).await?;
    for end in [&client, &server] {
        end.set_nodelay(true)?;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut response_traffic = traffic.clone();
    let both = tokio::try_join!(
        forward_bytes(&mut from_client, &mut to_server, &mut traffic),
        forward_bytes(&mut from_server, &mut to_client, &mut response_traffic)
    );
    both.map(|_| ())
}

async fn forward_bytes(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    traffic: &mut watch::Receiver<TrafficMode>,
) -> io::Result<()> {
    let mut chunk = vec![0; MAX_CHUNK_SIZE];
    loop {
        let read = from.read(&mut chunk).await;
        // A stall must also hold back a closed connection, so the proxy waits before it checks the read result.
        if let TrafficMode::Throttle(pause) = wait_while_stalled(traffic).await? {
            sleep(pause).await;
        }
        match chunk.get(..read?) {
            Some(bytes) if !bytes.is_empty() => to.write_all(bytes).await?,
            _ => return to.shutdown().await,
        }
    }
}

async fn wait_while_stalled(traffic: &mut watch::Receiver<TrafficMode>) -> io::Result<TrafficMode> {
    // The wait fails if the proxy was dropped.
    let now = traffic.wait_for(|traffic| *traffic != TrafficMode::Stall).await.map_err(io::Error::other)?;
    if *now == TrafficMode::Reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(*now) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    async fn start_echo_server() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        (address, serving)
    }

    async fn expect_response(stream: &mut TcpStream, expected: &[u8]) {
        let mut response = vec![0; expected.len()];
        tokio::time::timeout(Duration::from_mins(1), stream.read_exact(&mut response)).await.unwrap().unwrap();
        assert_eq!(response, expected);
    }

    #[tokio::test]
    async fn stalled_data_arrives_after_the_stall() {
        let (target, serving) = start_echo_server().await;
        let proxy = FaultInjectionProxy::start(target).await.unwrap();
        let mut before = TcpStream::connect(proxy.address()).await.unwrap();
        before.write_all(b"one").await.unwrap();
        expect_response(&mut before, b"one").await;

        proxy.set_traffic_mode(TrafficMode::Stall);
        before.write_all(b"two").await.unwrap();
        let mut during_fault = TcpStream::connect(proxy.address()).await.unwrap();
        during_fault.write_all(b"new").await.unwrap();
        let mut byte = [0];
        for stream in [&mut before, &mut during_fault] {
            let read = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut byte)).await;
            assert!(read.is_err(), "{read:?}");
        }

        proxy.set_traffic_mode(TrafficMode::Throttle(Duration::from_millis(1)));
        expect_response(&mut before, b"two").await;
        expect_response(&mut during_fault, b"new").await;
        let long: Vec<u8> = (0..=u8::MAX).cycle().take(3 * MAX_CHUNK_SIZE + 1).collect();
        before.write_all(&long).await.unwrap();
        expect_response(&mut before, &long).await;

        before.shutdown().await.unwrap();
        assert_eq!(before.read(&mut byte).await.unwrap(), 0);
        serving.abort();
    }

    #[tokio::test]
    async fn connections_are_reset_until_traffic_flows_again() {
        let (target, serving) = start_echo_server().await;
        let proxy = FaultInjectionProxy::start(target).await.unwrap();
        let mut before = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.set_traffic_mode(TrafficMode::Reset);
        before.write_all(b"x").await.unwrap();
        let mut during_fault = TcpStream::connect(proxy.address()).await.unwrap();
        let mut byte = [0];
        for stream in [&mut before, &mut during_fault] {
            let read = tokio::time::timeout(Duration::from_mins(1), stream.read(&mut byte)).await.unwrap();
            assert!(!read.is_ok_and(|read| read > 0));
        }
        proxy.set_traffic_mode(TrafficMode::Forward);
        let mut after = TcpStream::connect(proxy.address()).await.unwrap();
        after.write_all(b"new").await.unwrap();
        expect_response(&mut after, b"new").await;
        serving.abort();
    }

    #[tokio::test]
    async fn connection_close_is_not_forwarded_during_a_stall() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = FaultInjectionProxy::start(listener.local_addr().unwrap()).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(b"x").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        server.read_exact(&mut byte).await.unwrap();
        proxy.set_traffic_mode(TrafficMode::Stall);
        drop(client);
        let read = tokio::time::timeout(Duration::from_millis(200), server.read(&mut byte)).await;
        assert!(read.is_err(), "{read:?}");
        proxy.set_traffic_mode(TrafficMode::Forward);
        let read = tokio::time::timeout(Duration::from_mins(1), server.read(&mut byte)).await;
        assert_eq!(read.unwrap().unwrap(), 0);
    }
}
