//! TCP proxy that rewrites a MySQL server's greeting packet and can hold or delay selected packets.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::database_server::DatabaseServer;
use crate::mysql_packets::{CLIENT_SSL, is_ssl_request, read_packet, write_packet};
use crate::tcp_service::TcpService;

/// Connection id that the proxy writes into the server's greeting packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConnectionIdRewrite {
    /// Forwards the server's connection id to the client unchanged.
    #[default]
    Unchanged,
    /// Sends the given connection id to every client.
    Fixed(u32),
    /// Sends consecutive connection ids starting at the given id, as some MySQL proxies do.
    From(u32),
}

/// Action that the proxy performs for a matching client packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketAction {
    /// Delays the client packet until [`RewritingProxy::release_held_packets`] is called.
    HoldRequest,
    /// Forwards the client packet but holds back the response until [`RewritingProxy::release_held_packets`] is called.
    HoldResponse,
    /// Forwards the packet after a delay.
    Delay(Duration),
}

/// Rules for changing, holding back and delaying packets in a [`RewritingProxy`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RewriteRules {
    /// Connection id that the proxy writes into the server's greeting packet.
    pub greeting_id: ConnectionIdRewrite,
    /// If true, the proxy removes `CLIENT_SSL` from the greeting packet, as in a TLS stripping attack.
    pub hide_tls: bool,
    /// Substring that the proxy searches for in unencrypted client packets, and the action for matching packets.
    pub effect: Option<(&'static str, PacketAction)>,
}

/// Proxy that listens on 127.0.0.1 and can modify or delay packets. Dropping the proxy closes all connections.
#[derive(Debug)]
pub struct RewritingProxy {
    service: TcpService,
    state: Arc<RewritingProxyState>,
}

#[derive(Debug)]
struct RewritingProxyState {
    rewrite: Mutex<RewriteRules>,
    connections: AtomicU32,
    held: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

impl RewritingProxy {
    /// Starts a proxy that forwards connections to the server at `target`.
    pub async fn start(target: SocketAddr, rewrite: RewriteRules) -> io::Result<Self> {
        let state = Arc::new(RewritingProxyState {
            rewrite: Mutex::new(rewrite),
            connections: AtomicU32::new(0),
            held: watch::Sender::new(false),
            released: watch::Sender::new(false),
        });
        let shared = state.clone();
        let service = TcpService::start(move |client| {
            let number = shared.connections.fetch_add(1, Ordering::SeqCst);
            forward_connection(client, target, number, shared.clone())
        })
        .await?;
        Ok(Self { service, state })
    }

    /// Starts a proxy that holds back statements containing `text`.
    /// [`RewritingProxy::release_held_packets`] forwards the statements that the proxy is holding back.
    pub async fn start_with_held_statement(server: &DatabaseServer, text: &'static str) -> io::Result<Self> {
        let rules = RewriteRules { effect: Some((text, PacketAction::HoldRequest)), ..RewriteRules::default() };
        Self::start((Ipv4Addr::LOCALHOST, server.port()).into(), rules).await
    }

    /// Returns the address of the proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// Returns the proxy's URL for a passwordless account. The URL sets `tls=off` so that the proxy can read packets.
    #[must_use]
    pub fn url(&self, user: &str) -> String {
        format!("mysql://{user}@{}/?tls=off", self.service.address)
    }

    /// Replaces the rewrite rules. The new rules apply to new connections and to subsequent packets on open connections.
    /// Does not forward the packets that the proxy is already holding back. To forward them, call `release_held_packets`.
    pub fn set_rewrite_rules(&self, rewrite: RewriteRules) {
        *self.state.rewrite.lock() = rewrite;
        self.state.held.send_replace(false);
    }

    /// Returns the number of connections that the proxy has accepted.
    #[must_use]
    pub fn connection_count(&self) -> u32 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Waits until a client packet has matched a hold rule since the last call of `set_rewrite_rules`.
    pub async fn wait_until_packet_is_held(&self) {
        // The wait cannot fail, because the proxy owns the sender.
        let _ = self.state.held.subscribe().wait_for(|held| *held).await;
    }

    /// Forwards all packets that the proxy holds back, and stops holding back packets.
    pub fn release_held_packets(&self) {
        self.state.released.send_replace(true);
    }
}

impl RewritingProxyState {
    async fn wait_until_packets_are_released(&self) -> io::Result<()> {
        self.released.subscribe().wait_for(|released| *released).await.map(drop).map_err(io::Error::other)
    }

    fn find_action_for_packet(&self, packet: &[u8]) -> Option<PacketAction> {
        let (text, effect) = self.rewrite.lock().effect?;
        packet.windows(text.len()).any(|part| part == text.as_bytes()).then_some(effect)
    }
}

async fn forward_connection(
    client: TcpStream,
    target: SocketAddr,
    number: u32,
    state: Arc<RewritingProxyState>,
) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (sequence, mut greeting) = read_packet(&mut from_server).await?;
    let rewrite = *state.rewrite.lock();
    rewrite_greeting(&mut greeting, number, rewrite);
    write_packet(&mut to_client, sequence, &greeting).await?;
    let (hold, is_held) = watch::channel(false);
    tokio::select! {
        ended = forward_requests(&mut from_client, &mut to_server, &state, &hold) => ended,
        ended = forward_responses(&mut from_server, &mut to_client, &state, &is_held) => ended,
    }
}

/// Does not change error packets, which a server can send instead of a greeting packet.
fn rewrite_greeting(greeting: &mut [u8], number: u32, rewrite: RewriteRules) {
    if greeting.first() != Some(&10) {
        return;
    }
    let Some(version_end) = greeting.iter().position(|byte| *byte == 0) else { return };
    let id = version_end + 1;
    let new_id = match rewrite.greeting_id {
        ConnectionIdRewrite::Unchanged => None,
        ConnectionIdRewrite::Fixed(id) => Some(id),
        ConnectionIdRewrite::From(first) => Some(first.wrapping_add(number)),
    };
    if let (Some(new_id), Some(bytes)) = (new_id, greeting.get_mut(id..id + 4)) {
        bytes.copy_from_slice(&new_id.to_le_bytes());
    }
    // Offsets after the id: 8 bytes of nonce, a filler, the lower half of the capabilities.
    if let (true, Some(high_byte)) = (rewrite.hide_tls, greeting.get_mut(id + 14)) {
        *high_byte &= !CLIENT_SSL.to_le_bytes()[1];
    }
}

async fn forward_requests(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    state: &RewritingProxyState,
    hold: &watch::Sender<bool>,
) -> io::Result<()> {
    loop {
        let (sequence, packet) = read_packet(from).await?;
        match state.find_action_for_packet(&packet) {
            Some(PacketAction::HoldRequest) => {
                state.held.send_replace(true);
                state.wait_until_packets_are_released().await?;
            }
            Some(PacketAction::HoldResponse) => {
                hold.send_replace(true);
                state.held.send_replace(true);
            }
            Some(PacketAction::Delay(time)) => sleep(time).await,
            None => {}
        }
        write_packet(to, sequence, &packet).await?;
        if sequence == 1 && is_ssl_request(&packet) {
            return copy(from, to).await.map(drop);
        }
    }
}

async fn forward_responses(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    state: &RewritingProxyState,
    hold: &watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        let is_held = *hold.borrow();
        if is_held {
            state.wait_until_packets_are_released().await?;
        }
        match buffer.get(..length) {
            Some(bytes) if !bytes.is_empty() => to.write_all(bytes).await?,
            _ => return Ok(()),
        }
    }
}
