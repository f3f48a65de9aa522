//! Reads of nodes that an answer waits for: bounded in time. How many of a node there are at once is `clew-mysql`'s to say.

use std::future::Future;

use clew_model::{ErrorEntry, Failure, FailureKind, Node};
use clew_mysql::Limits;
use clew_store::LoginCause;
use clew_tasks::Login;

use crate::Service;
use crate::refusal::{Detail, Refusal};

/// How nodes are read while somebody waits for the answer.
#[derive(Debug, Clone, Default)]
pub struct NodeReads {
    limits: Limits,
}

impl NodeReads {
    /// Reads that keep these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// The limits of one read.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }
}

impl Service {
    /// The result of a read of a node within the limits. A failure becomes a response with its reason.
    pub(crate) async fn read_node<T, F>(&self, node: &Node, read: impl FnOnce(Limits) -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.try_read_node(node, read).await.map_err(failed)
    }

    /// The same for a read without which the response is still useful. After a refused login the next one waits, so that repeated requests
    /// do not make the server lock the account: every read for a request comes through here.
    pub(crate) async fn try_read_node<T, F>(&self, node: &Node, read: impl FnOnce(Limits) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let login = Login::request(&self.store, &node.id, LoginCause::Requested).await?;
        let result = read(self.nodes.limits).await;
        login.record(node, result.as_ref().err()).await;
        result
    }
}

/// Fails where the node is in a zone that this server is not in.
pub(crate) fn reachable(service: &Service, node: &Node) -> Result<(), Failure> {
    match &node.zone {
        Some(zone) if !service.store.reaches(Some(zone)) => {
            let why = format!("node {} is in zone {zone}, and this server is not (clew serve --zone {zone})", node.id);
            Err(Failure::new(FailureKind::Unreachable, why))
        }
        _ => Ok(()),
    }
}

/// A node that could not be asked, with the reason.
pub(crate) fn failed(failure: Failure) -> Refusal {
    Refusal { detail: Detail::Failure(failure), ..Refusal::new(ErrorEntry::INTERNAL) }
}
