//! Starts tasks that collect the sessions of a node, and waits until the tasks finish.
//!
//! Sections 1.2 and 1.3 of the TaurusDB API spec define the requests that start a collection and return its status.

use std::fmt;
use std::time::Duration;

use clew_model::{InstanceId, Limitation, NodeId};
use reqwest::Method;
use reqwest::header::HeaderName;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::ClientError;
use crate::response::sanitize_server_text;
use crate::retry::Idempotency;
use crate::transport::ApiRequest;
use crate::{Client, StartCollectionRequest};

const PREFER_HEADER: HeaderName = HeaderName::from_static("prefer");
const FETCH_STATUS_OPERATION_NAME: &str = "reading the state of a collection";
const MAX_LONG_POLL_DURATION: Duration = Duration::from_secs(20);

/// Opaque id of a collection task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for RequestId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

clew_model::named_enum! {
    /// State of a collection task.
    pub enum CollectionStatus {
        /// The collection task is queued or running.
        Running = "running",
        /// The result is ready for download.
        Finished = "finished",
        /// The collection task failed. [`Client::fetch_collection_failure_reason`] returns the reason.
        Error = "error",
        /// The collection task does not exist: it was never started or has been deleted.
        Unrecognized = "unrecognized",
    }
}

#[derive(Deserialize)]
struct StartCollectionResponse {
    request_id: RequestId,
}

#[derive(Deserialize)]
struct CollectionStatusResponse {
    status: String,
    /// The type is `serde_json::Value`, so that unknown kinds of missing data do not cause a parse error.
    #[serde(default)]
    limitations: serde_json::Value,
}

impl Client {
    /// Starts a task that collects the sessions of a node, and returns the id of the task.
    /// The client retries the request only if it is certain that the server did not start a task.
    pub async fn start_collection(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        selection: &StartCollectionRequest,
    ) -> Result<RequestId, ClientError> {
        let request = ApiRequest {
            method: Method::POST,
            content_type: Some("application/json;charset=utf-8"),
            body: serde_json::to_string(selection).map_err(|error| ClientError::Setup(error.to_string()))?,
            idempotency: Idempotency::NonIdempotent,
            ..self.build_node_request("starting a collection", (instance, node), "realtime-session", None).await?
        };
        let response: StartCollectionResponse = self.send_json_request(&request).await?;
        Ok(response.request_id)
    }

    /// Returns the state of a collection task.
    pub async fn fetch_collection_status(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
    ) -> Result<CollectionStatus, ClientError> {
        self.long_poll_collection_status(instance, node, request_id, Duration::ZERO).await
    }

    /// The client rounds `wait` down to whole seconds.
    async fn long_poll_collection_status(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        wait: Duration,
    ) -> Result<CollectionStatus, ClientError> {
        let response = self.request_collection_status(instance, node, request_id, wait).await?;
        CollectionStatus::from_name(&response.status).ok_or_else(|| {
            let why = format!("unknown state {:?}", sanitize_server_text(&response.status, 80));
            self.new_request_context(FETCH_STATUS_OPERATION_NAME, &self.inner.endpoint).invalid_response_error(why)
        })
    }

    /// Returns notes about data that Clew could not read for a collection result, with the reasons.
    /// Returns an empty list if the result is complete or the collection task has not finished.
    pub async fn fetch_result_limitations(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
    ) -> Result<Vec<Limitation>, ClientError> {
        let response = self.request_collection_status(instance, node, request_id, Duration::ZERO).await?;
        let limitations: Option<Vec<Limitation>> = serde_json::from_value(response.limitations).map_err(|error| {
            self.new_request_context(FETCH_STATUS_OPERATION_NAME, &self.inner.endpoint)
                .invalid_response_error(format!("limitations: {error}"))
        })?;
        Ok(limitations.unwrap_or_default())
    }

    async fn request_collection_status(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        wait: Duration,
    ) -> Result<CollectionStatusResponse, ClientError> {
        let (operation, node) = (FETCH_STATUS_OPERATION_NAME, (instance, node));
        let mut request =
            self.build_node_request(operation, node, "realtime-session-task", Some(request_id.as_str())).await?;
        if wait.as_secs() > 0 {
            request.unsigned_headers.push((PREFER_HEADER, format!("wait={}", wait.as_secs())));
        }
        self.send_json_request(&request).await
    }

    /// Waits until a collection task finishes, and returns the final state of the task.
    ///
    /// Uses long polling (`Prefer: wait`, RFC 7240) if the server supports it.
    /// If the server ignores `Prefer: wait`, the client polls at increasing intervals.
    /// Calls `on_progress` after each poll with the state of the task and the elapsed time.
    ///
    /// Returns [`ClientError::StillRunning`] if the task is still running after `limit`.
    /// The collection task continues to run on the server after this function returns [`ClientError::StillRunning`].
    pub async fn wait_for_collection_task(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        limit: Duration,
        mut on_progress: impl FnMut(CollectionStatus, Duration),
    ) -> Result<CollectionStatus, ClientError> {
        let start = Instant::now();
        let max_pause = self.inner.config.settings.poll_interval.saturating_mul(8);
        let max_wait = MAX_LONG_POLL_DURATION.min(self.inner.config.settings.response_timeout / 2);
        let mut pause = self.inner.config.settings.poll_interval;
        loop {
            let requested_at = Instant::now();
            let wait = max_wait.min(limit.saturating_sub(start.elapsed()));
            let status = self.long_poll_collection_status(instance, node, request_id, wait).await?;
            let waited = start.elapsed();
            on_progress(status, waited);
            if status != CollectionStatus::Running {
                return Ok(status);
            }
            let left = limit.saturating_sub(waited);
            if left.is_zero() {
                return Err(ClientError::StillRunning { request_id: request_id.to_string(), limit });
            }
            // After a long poll, the pause has usually already elapsed.
            tokio::time::sleep_until((requested_at + pause).min(start + limit)).await;
            pause = pause.mul_f64(1.5).min(max_pause);
        }
    }
}
