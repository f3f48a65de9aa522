//! Opens authenticated connections without acquiring a permit or setting session variables.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl};
use tokio::net::lookup_host;
use tokio::time::sleep;

use crate::client::{Client, Error, Socket};
use crate::limits::ByteLimits;
use crate::own_sessions::{OwnSession, OwnSessionFilter};
use crate::{failure, refused_logins, statements};

/// Error code: the server has reached `max_connections`.
const ER_CON_COUNT_ERROR: u16 = 1040;
/// Delays before the login retries after [`ER_CON_COUNT_ERROR`].
/// The total delay is longer than most bursts of new connections.
const LOGIN_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200)];

/// Authenticated connection without a permit, whose session variables have not been set.
#[derive(Debug)]
pub(crate) struct RawConnection {
    pub(crate) client: Client,
    pub(crate) own: Arc<OwnSession>,
    account: String,
    /// Address of the node.
    address: String,
    /// Value of `CONNECTION_ID()`, or 0 if it has not been read yet.
    pub(crate) id: u64,
    /// Host name, port, server id and data directory of the server, or empty if they have not been read yet.
    pub(crate) server_host: String,
}

impl RawConnection {
    /// Connects to the node, authenticates and reads the connection id and the host of the server.
    pub(crate) async fn open(node: &NodeUrl, bytes: ByteLimits) -> Result<Self, Failure> {
        let address = node.address();
        let mut raw = Self::connect(node, &address, bytes).await?;
        raw.read_version_and_id().await.map_err(|error| failure::failure_from_client_error(&error, &address))?;
        Ok(raw)
    }

    /// Connects to the node and authenticates.
    /// Retries the login if the server has reached `max_connections`.
    pub(crate) async fn connect(node: &NodeUrl, address: &str, bytes: ByteLimits) -> Result<Self, Failure> {
        let lookup = lookup_host((node.host.as_str(), node.port)).await;
        let addresses: Vec<SocketAddr> =
            lookup.map_err(|error| failure::name_resolution_failure(address, &error))?.collect();
        let mut delays = LOGIN_RETRY_DELAYS.iter();
        loop {
            match Self::connect_once(node, &addresses, bytes).await {
                Err(Error::Server(error)) if error.code == ER_CON_COUNT_ERROR => {
                    let Some(delay) = delays.next() else {
                        return Err(failure::too_many_connections_failure(&error, address));
                    };
                    sleep(*delay).await;
                }
                Err(error) => {
                    let failure = failure::failure_from_client_error(&error, address);
                    if matches!(error, Error::Server(_)) && failure.kind == FailureKind::AccessDenied {
                        refused_logins::store_refused_login(node, &failure);
                    }
                    return Err(failure);
                }
                Ok(raw) => return Ok(raw),
            }
        }
    }

    async fn connect_once(node: &NodeUrl, addresses: &[SocketAddr], bytes: ByteLimits) -> Result<Self, Error> {
        let socket = Socket::connect(addresses).await?;
        let address = node.address();
        let own = Arc::new(OwnSession::register(socket.local, &node.user, &address));
        let client = Client::perform_handshake(socket, node, own.connection_tag().to_owned(), bytes).await?;
        Ok(Self { client, own, account: node.user.clone(), address, id: 0, server_host: String::new() })
    }

    /// Reads the server version, the connection id and the host of the server. Returns the version and stores the rest.
    pub(crate) async fn read_version_and_id(&mut self) -> Result<String, Error> {
        let rows = self.client.query_all::<(String, u64, String)>(statements::SERVER_IDENTITY_QUERY).await?;
        let (version, id, server_host) =
            rows.into_iter().next().ok_or(Error::Protocol("the server returned no version"))?;
        self.own.set_connection_id(id);
        self.id = id;
        self.server_host = server_host;
        Ok(version)
    }

    /// Creates a filter that recognises Clew's own sessions in process lists read over this connection.
    pub(crate) fn own_session_filter(&self) -> OwnSessionFilter {
        OwnSessionFilter::new(&self.own, &self.account, &self.address)
    }

    /// Returns whether the connection id from the handshake packet matches `CONNECTION_ID()`.
    /// If Clew is connected through a proxy, the handshake packet contains the proxy's connection id.
    /// Compares only the lower 32 bits, because the handshake packet does not contain a connection id's upper bits.
    pub(crate) fn handshake_connection_id_matches(&self) -> bool {
        u64::from(self.client.handshake_connection_id) == self.id & u64::from(u32::MAX)
    }

    /// Returns whether Clew is connected to the server without a proxy.
    /// A proxy might route the process list query and the kill to different servers.
    /// Callers must first pass every session in the process list, including this connection's own, to `filter`.
    pub(crate) fn is_direct(&self, filter: &OwnSessionFilter) -> bool {
        self.handshake_connection_id_matches() && filter.process_list_connection_id() == Some(self.id)
    }
}
