//! Collections: start one, ask how it is, wait for its end (spec sections 1.2 and 1.3).

use std::fmt;
use std::time::Duration;

use clew_model::{InstanceId, NodeId, SelectionDraft};
use reqwest::Method;
use reqwest::header::HeaderName;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Client;
use crate::error::ClientError;
use crate::exchange::Call;
use crate::response::printable;
use crate::retry::Repeatable;

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Longest wait that a server is asked for with one question.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The server's name for a collection. Its form is the server's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// As it stands in requests.
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

/// Which sessions to collect, in what order. What is left out means the server's default. The server checks the values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SelectionRequest {
    /// `slow`, `active`, `total` or `long`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Seconds from which a session counts as slow: 1 to 86,400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_process_threshold: Option<i64>,
    /// Account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Client address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Default database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db: Option<String>,
    /// Kind of command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Part of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_key: Option<String>,
    /// Column to sort by: `id`, `state_duration`, `trx_executed_time`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_key: Option<String>,
    /// `asc` or `desc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_dir: Option<String>,
}

impl From<SelectionDraft> for SelectionRequest {
    fn from(draft: SelectionDraft) -> Self {
        Self {
            filter: draft.filter,
            slow_process_threshold: draft.slow_process_threshold,
            user: draft.user,
            host: draft.host,
            db: draft.db,
            command: draft.command,
            sql_key: draft.sql_key,
            sort_key: draft.sort_key,
            sort_dir: draft.sort_dir,
        }
    }
}

/// Where a collection is, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CollectionStatus {
    /// It waits or runs.
    Running,
    /// Its result can be downloaded.
    Finished,
    /// It ended without a result; [`Client::download_error_reason`] says why.
    Error,
    /// The server does not know it, or no longer.
    Unrecognized,
}

impl CollectionStatus {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "running" => Some(Self::Running),
            "finished" => Some(Self::Finished),
            "error" => Some(Self::Error),
            "unrecognized" => Some(Self::Unrecognized),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Started {
    request_id: RequestId,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

impl Client {
    /// Starts a collection. Sent again only where it was surely not started the first time.
    pub async fn collect(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        selection: &SelectionRequest,
    ) -> Result<RequestId, ClientError> {
        let project = self.project().await?;
        let call = Call {
            method: Method::POST,
            content_type: Some("application/json;charset=utf-8"),
            body: serde_json::to_string(selection).map_err(|error| ClientError::Setup(error.to_string()))?,
            repeatable: Repeatable::UnlessExecuted,
            ..self.get(
                "starting a collection",
                project,
                format!("/v3/{project}/instances/{instance}/nodes/{node}/realtime-session"),
                Vec::new(),
            )
        };
        let started: Started = self.json(&call).await?;
        Ok(started.request_id)
    }

    /// Where the collection is.
    pub async fn task_status(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
    ) -> Result<CollectionStatus, ClientError> {
        self.task_status_within(instance, node, request_id, Duration::ZERO).await
    }

    /// Where the collection is; a server that can answers when it has ended, or after this many whole seconds.
    async fn task_status_within(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        wait: Duration,
    ) -> Result<CollectionStatus, ClientError> {
        let project = self.project().await?;
        let doing = "asking for the state of a collection";
        let path = format!("/v3/{project}/instances/{instance}/nodes/{node}/realtime-session-task");
        let mut call = self.get(doing, project, path, vec![("request_id", request_id.to_string())]);
        if wait.as_secs() > 0 {
            call.unsigned.push((PREFER, format!("wait={}", wait.as_secs())));
        }
        let told: Status = self.json(&call).await?;
        CollectionStatus::from_name(&told.status).ok_or_else(|| {
            let why = format!("the state {:?}", printable(&told.status, 80));
            self.asked(doing, &self.inner.endpoint.to_string()).not_understood(why)
        })
    }

    /// Asks until the collection is no longer running, and returns what it then is.
    ///
    /// A server that can is asked to answer only then (`Prefer: wait`, RFC 7240); another one, such as the cloud's, is asked again and
    /// again. `on_progress` is told each state and the time since the start of the wait. After `limit` the collection goes on without
    /// us: [`ClientError::StillRunning`].
    pub async fn wait(
        &self,
        instance: &InstanceId,
        node: &NodeId,
        request_id: &RequestId,
        limit: Duration,
        mut on_progress: impl FnMut(CollectionStatus, Duration),
    ) -> Result<CollectionStatus, ClientError> {
        let start = Instant::now();
        let longest = self.inner.settings.poll.saturating_mul(8);
        let longest_wait = LONGEST_WAIT.min(self.inner.settings.answer / 2);
        let mut pause = self.inner.settings.poll;
        loop {
            let asked = Instant::now();
            let wait = longest_wait.min(limit.saturating_sub(start.elapsed()));
            let status = self.task_status_within(instance, node, request_id, wait).await?;
            let waited = start.elapsed();
            on_progress(status, waited);
            if status != CollectionStatus::Running {
                return Ok(status);
            }
            let left = limit.saturating_sub(waited);
            if left.is_zero() {
                return Err(ClientError::StillRunning { request_id: request_id.to_string(), limit });
            }
            // No pause is left after an answer that was waited for.
            tokio::time::sleep_until((asked + pause).min(start + limit)).await;
            pause = pause.mul_f64(1.5).min(longest);
        }
    }
}
