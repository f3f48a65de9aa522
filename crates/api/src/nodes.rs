//! Reads data from a database server (node) during an HTTP request, with time and size limits.

use std::future::Future;

use clew_model::{Failure, Node};
use clew_mysql::ReadLimits;
use clew_store::LoginTrigger;
use clew_worker::LoginPermit;

use crate::AppState;
use crate::error::ApiError;

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
        let result = read(self.read_limits).await;
        login.record_login_outcome(node, result.as_ref().err()).await;
        result
    }
}
