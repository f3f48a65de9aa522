//! Opens connections to database servers without limiting their number or setting session variables.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeUrl};
use tokio::net::lookup_host;
use tokio::time::sleep;

use crate::client::{Client, Error, TcpConnection};
use crate::connector::NodeConnector;
use crate::own_sessions::{ConnectionRegistration, OwnSessionFilter};
use crate::{failure, sql_statements};

/// Error code that a MySQL server returns if it has reached `max_connections`.
const ER_CON_COUNT_ERROR: u16 = 1040;
/// Delays between login attempts on a server that has reached `max_connections`.
/// The login retry delays add up to 350 ms, which exceeds the duration of most bursts of new connections.
const LOGIN_RETRY_DELAYS: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200)];

#[derive(Debug)]
pub(crate) struct RawConnection {
    pub(crate) client: Client,
    pub(crate) own: Arc<ConnectionRegistration>,
    account: String,
    address: String,
    /// Value of `CONNECTION_ID()`, or 0 if it has not been read yet.
    pub(crate) id: u64,
    /// Host name, port, server id and data directory of the database server, joined into one string; `None` if unknown.
    pub(crate) server_host: Option<Vec<u8>>,
}

impl RawConnection {
    pub(crate) async fn open(node: &NodeUrl, connector: &NodeConnector) -> Result<Self, Failure> {
        let address = node.address();
        let mut raw = Self::connect(node, &address, connector).await?;
        raw.read_version_and_connection_id()
            .await
            .map_err(|error| failure::failure_from_client_error(&error, &address))?;
        Ok(raw)
    }

    /// Retries the login if the server has reached `max_connections`.
    pub(crate) async fn connect(node: &NodeUrl, address: &str, connector: &NodeConnector) -> Result<Self, Failure> {
        let lookup = lookup_host((node.host.as_str(), node.port)).await;
        let addresses: Vec<SocketAddr> = lookup
            .map_err(|error| {
                Failure::new(FailureKind::Unreachable, format!("{address}: cannot resolve the host name: {error}"))
            })?
            .collect();
        let mut delays = LOGIN_RETRY_DELAYS.iter();
        loop {
            match Self::connect_once(node, &addresses, connector).await {
                Err(Error::Server(error)) if error.code == ER_CON_COUNT_ERROR => {
                    let Some(delay) = delays.next() else {
                        return Err(failure::failure_from_server_error(&error, address));
                    };
                    sleep(*delay).await;
                }
                Err(error) => {
                    let failure = failure::failure_from_client_error(&error, address);
                    if matches!(error, Error::Server(_)) && failure.kind == FailureKind::AccessDenied {
                        connector.registry.refused_logins.record_refused_login(node, &failure);
                    }
                    return Err(failure);
                }
                Ok(raw) => return Ok(raw),
            }
        }
    }

    async fn connect_once(node: &NodeUrl, addresses: &[SocketAddr], connector: &NodeConnector) -> Result<Self, Error> {
        let socket = TcpConnection::connect(addresses).await?;
        let address = node.address();
        let own = connector.registry.own_connections.register_connection(socket.local, &node.user, &address);
        let tag = own.tag.clone();
        let client = Client::perform_handshake(socket, node, tag, connector.limits.bytes).await?;
        Ok(Self { client, own: Arc::new(own), account: node.user.clone(), address, id: 0, server_host: None })
    }

    /// Returns the server version. Also reads and stores the connection id and the server's host name.
    pub(crate) async fn read_version_and_connection_id(&mut self) -> Result<String, Error> {
        let query = sql_statements::VERSION_CONNECTION_ID_AND_HOST_QUERY;
        let rows: Vec<(String, u64, Option<Vec<u8>>)> = match self.client.query_all_rows(query).await {
            // A compatible server or a proxy may lack one of the variables.
            Err(Error::Server(_)) => {
                let query = sql_statements::VERSION_AND_CONNECTION_ID_QUERY;
                let rows: Vec<(String, u64)> = self.client.query_all_rows(query).await?;
                rows.into_iter().map(|(version, id)| (version, id, None)).collect()
            }
            rows => rows?,
        };
        let missing = Error::Protocol("the server returned no version");
        let (version, id, server_host) = rows.into_iter().next().ok_or(missing)?;
        self.own.set_connection_id(id, server_host.clone());
        self.id = id;
        self.server_host = server_host;
        Ok(version)
    }

    pub(crate) fn own_session_filter(&self) -> OwnSessionFilter {
        OwnSessionFilter::new(&self.own, &self.account, &self.address, self.server_host.clone())
    }

    /// Returns true if the connection ids prove that Clew connects to the server directly, without a proxy.
    /// Behind a proxy, the process list query and the `KILL` statement could reach different servers.
    /// The handshake packet of a proxy contains the lower 32 bits of the proxy's own connection id.
    /// Call this function only after passing every session in the process list to `filter.is_own_session`.
    pub(crate) fn is_directly_connected(&self, filter: &OwnSessionFilter) -> bool {
        let matches_handshake = u64::from(self.client.handshake_connection_id) == self.id & u64::from(u32::MAX);
        matches_handshake && filter.listed == Some(self.id)
    }
}
