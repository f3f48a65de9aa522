//! Opens authenticated connections that have no connection permit and no session variables set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl};
use tokio::net::lookup_host;
use tokio::time::sleep;

use crate::client::{Client, Error, Socket};
use crate::own_sessions::{OwnSession, OwnSessionFilter};
use crate::{failure, refused_logins, statements};

/// Error code `ER_CON_COUNT_ERROR`: the server has reached `max_connections`.
const TOO_MANY_CONNECTIONS_ERROR: u16 = 1040;
/// Delays before Clew retries a login after [`TOO_MANY_CONNECTIONS_ERROR`]. Connection bursts usually end in this time.
const CONNECT_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200)];

/// Authenticated connection without a connection permit, whose session variables are not set yet.
#[derive(Debug)]
pub(crate) struct RawConnection {
    pub(crate) client: Client,
    pub(crate) own: Arc<OwnSession>,
    account: String,
    /// Address of the node.
    address: String,
    /// Value of `CONNECTION_ID()`, or 0 before the first read.
    pub(crate) id: u64,
}

impl RawConnection {
    /// Connects to the node, authenticates, and reads the connection id.
    pub(crate) async fn open(node: &NodeUrl, max_bytes: u64) -> Result<Self, Failure> {
        let address = node.address();
        let mut raw = Self::connect(node, &address, max_bytes).await?;
        raw.read_version_and_id().await.map_err(|error| failure::from_client_error(&error, &address))?;
        Ok(raw)
    }

    /// Connects to the node and authenticates. Retries if the server has reached `max_connections`.
    pub(crate) async fn connect(node: &NodeUrl, address: &str, max_bytes: u64) -> Result<Self, Failure> {
        let lookup = lookup_host((node.host.as_str(), node.port)).await;
        let addresses: Vec<SocketAddr> =
            lookup.map_err(|error| failure::name_resolution_failure(address, &error))?.collect();
        let mut delays = CONNECT_RETRY_DELAYS.iter();
        loop {
            match Self::connect_once(node, &addresses, max_bytes).await {
                Err(Error::Server(error)) if error.code == TOO_MANY_CONNECTIONS_ERROR => {
                    let Some(delay) = delays.next() else {
                        return Err(failure::too_many_connections_failure(&error, address));
                    };
                    sleep(*delay).await;
                }
                Err(error) => {
                    let failure = failure::from_client_error(&error, address);
                    if matches!(error, Error::Server(_)) && failure.kind == FailureKind::AccessDenied {
                        refused_logins::record_refused_login(node, &failure);
                    }
                    return Err(failure);
                }
                Ok(raw) => return Ok(raw),
            }
        }
    }

    async fn connect_once(node: &NodeUrl, addresses: &[SocketAddr], max_bytes: u64) -> Result<Self, Error> {
        let socket = Socket::connect(addresses).await?;
        let address = node.address();
        let own = Arc::new(OwnSession::register(socket.local, &node.user, &address));
        let client = Client::perform_handshake(socket, node, own.connection_tag().to_owned(), max_bytes).await?;
        Ok(Self { client, own, account: node.user.clone(), address, id: 0 })
    }

    /// Reads the server version and the connection id. Stores the connection id and returns the server version.
    pub(crate) async fn read_version_and_id(&mut self) -> Result<String, Error> {
        let rows = self.client.query_all::<(String, u64)>(statements::SERVER_IDENTITY_QUERY).await?;
        let (version, id) =
            rows.into_iter().next().ok_or(Error::Protocol("no row from SELECT VERSION(), CONNECTION_ID()"))?;
        self.own.set_connection_id(id);
        self.id = id;
        Ok(version)
    }

    /// Creates a filter that recognises Clew's own sessions in process lists from this connection.
    pub(crate) fn own_session_filter(&self) -> OwnSessionFilter {
        OwnSessionFilter::new(&self.own, &self.account, &self.address)
    }

    /// Returns whether the connection id in the handshake packet equals `CONNECTION_ID()`.
    /// Behind a proxy, the two ids differ. The handshake packet contains only the lower 32 bits of a connection id.
    pub(crate) fn handshake_id_matches(&self) -> bool {
        u64::from(self.client.handshake_connection_id) == self.id & u64::from(u32::MAX)
    }

    /// Returns whether the connection reaches the server directly, without a proxy.
    /// Behind a proxy, the server that lists a session and the server that receives a kill may differ.
    /// Callers must pass the complete process list, which contains this connection, through `filter` first.
    pub(crate) fn is_direct(&self, filter: &OwnSessionFilter) -> bool {
        self.handshake_id_matches() && filter.listed_connection_id() == Some(self.id)
    }
}
