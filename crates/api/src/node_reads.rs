//! Reads data from a database server (node) during an HTTP request.

use clew_model::{Failure, Node};
use clew_store::LoginTrigger;
use clew_worker::LoginPermit;

use crate::AppState;
use crate::error::ApiError;

impl AppState {
    pub(crate) async fn read_from_node<T>(
        &self,
        node: &Node,
        read: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, ApiError> {
        self.try_read_from_node(node, read).await.map_err(ApiError::from_node_failure)
    }

    /// Request handlers must use `read_from_node` or `try_read_from_node` to read from database nodes.
    /// Both methods enforce a delay between a refused login and the next login attempt.
    /// Without the delay, repeated requests could cause the database server to lock Clew's account.
    pub(crate) async fn try_read_from_node<T>(
        &self,
        node: &Node,
        read: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let login = LoginPermit::request_permit(&self.store, &node.id, LoginTrigger::Requested).await?;
        let result = read.await;
        login.record_login_outcome(node, result.as_ref().err()).await;
        result
    }
}
