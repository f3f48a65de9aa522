//! Reads data from a database server (node) during an HTTP request, with time and size limits.

use std::future::Future;

use clew_model::{Failure, FailureKind, Node};
use clew_mysql::ReadLimits;
use clew_store::LoginTrigger;
use clew_worker::LoginPermit;

use crate::AppState;
use crate::error::ApiError;

/// Limits for read operations on nodes during an HTTP request.
#[derive(Debug, Clone, Default)]
pub struct NodeReadLimits {
    limits: ReadLimits,
}

impl NodeReadLimits {
    /// Creates limits that apply to each read operation on a node separately.
    #[must_use]
    pub fn new(limits: ReadLimits) -> Self {
        Self { limits }
    }

    pub(crate) fn read_limits(&self) -> ReadLimits {
        self.limits
    }
}

impl AppState {
    pub(crate) async fn read_from_node<T, F>(
        &self,
        node: &Node,
        read: impl FnOnce(ReadLimits) -> F,
    ) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.try_read_from_node(node, read).await.map_err(ApiError::from_node_failure)
    }

    /// Request handlers must read nodes with `read_from_node` or `try_read_from_node`.
    /// After a node refuses a login, `read_from_node` and `try_read_from_node` delay the next login attempt.
    /// Without a delay between logins, repeated requests could cause the database server to lock Clew's account.
    pub(crate) async fn try_read_from_node<T, F>(
        &self,
        node: &Node,
        read: impl FnOnce(ReadLimits) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let login = LoginPermit::request_permit(&self.store, &node.id, LoginTrigger::Requested).await?;
        let result = read(self.node_reads.limits).await;
        login.record_login_outcome(node, result.as_ref().err()).await;
        result
    }
}

pub(crate) fn require_reachable_network_zone(service: &AppState, node: &Node) -> Result<(), Failure> {
    match &node.zone {
        Some(zone) if !service.store.is_zone_reachable(Some(zone)) => {
            let reason =
                format!("node {} is in zone {zone}, and this server is not (clew serve --zone {zone})", node.id);
            Err(Failure::new(FailureKind::Unreachable, reason))
        }
        _ => Ok(()),
    }
}
