//! Runs a temporary `clew serve` process with registered nodes and provides a client for its API.

use std::path::Path;
use std::time::{Duration, Instant};

use clew_client::{
    Client, ClientConfig, ClientError, CollectionStatus, Credentials, FileSink, ProjectRef, RequestId, Settings,
    StartCollectionRequest,
};
use clew_devtools::DevtoolsError;
use clew_devtools::clew_server::{
    AccessKey, CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS, ClewProcess, TemporaryDeployment, parse_id,
};
use clew_devtools::command::Command;
use clew_devtools::processes;
use clew_iam::signature::{self, RequestToSign};
use clew_model::{InstanceId, NodeId};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::error::BenchError;

const READ_ONLY_POLICY_NAME: &str = "TaurusDBReadOnlyAccessPolicy";
const MAX_CONCURRENT_REQUESTS: usize = 16;
const MAX_ERROR_LOG_LINES: usize = 20;
const COLLECTION_TIMEOUT: Duration = Duration::from_mins(2);

pub(super) struct DeploymentWithNodes {
    deployment: TemporaryDeployment,
    pub(super) nodes: Vec<NodeRef>,
}

#[derive(Debug, Clone)]
pub(super) struct NodeRef {
    pub(super) instance: InstanceId,
    pub(super) node: NodeId,
}

pub(super) struct RunningClewServer<'a> {
    inventory: &'a DeploymentWithNodes,
    process: ClewProcess,
    client: Client,
}

impl DeploymentWithNodes {
    pub(super) async fn register_nodes(
        clew: &Path,
        urls: &[String],
        nodes_per_instance: usize,
    ) -> Result<Self, BenchError> {
        Self::with_registered_nodes(TemporaryDeployment::init(clew, Vec::new()).await?, urls, nodes_per_instance).await
    }

    pub(super) async fn with_registered_nodes(
        deployment: TemporaryDeployment,
        urls: &[String],
        nodes_per_instance: usize,
    ) -> Result<Self, BenchError> {
        let mut nodes = Vec::new();
        for (at, urls) in urls.chunks(nodes_per_instance).enumerate() {
            let added = deployment.add_instance(&format!("bench-{at}"), urls, "").await?;
            let instance: InstanceId = parse_id(&added.id)?;
            for node in added.nodes {
                nodes.push(NodeRef { instance: instance.clone(), node: parse_id(&node.id)? });
            }
        }
        Ok(Self { deployment, nodes })
    }

    /// The server skips the policy evaluation for administrators.
    pub(super) async fn create_read_only_access_key(&self) -> Result<AccessKey, DevtoolsError> {
        self.deployment.create_user_with_access_key(READ_ONLY_POLICY_NAME).await
    }

    /// If `poll_interval` is `None`, the API client of the server uses its default poll interval.
    pub(super) async fn start_server(
        &self,
        arguments: &[&str],
        poll_interval: Option<Duration>,
    ) -> Result<RunningClewServer<'_>, BenchError> {
        let process = self.deployment.start_server(arguments, CONFIGURATION_WITHOUT_PER_CLIENT_LIMITS).await?;
        let credentials = &self.deployment.credentials;
        let mut settings = Settings::default();
        settings.poll_interval = poll_interval.unwrap_or(settings.poll_interval);
        let key = Credentials::access_key(parse_id(&credentials.access_key)?, credentials.secret_key.clone().into());
        let project = ProjectRef::Project(parse_id(&credentials.project_id)?);
        let client = Client::new(ClientConfig { settings, ..ClientConfig::new(process.endpoint(), key, project) })?;
        Ok(RunningClewServer { inventory: self, process, client })
    }

    pub(super) fn temporary_deployment(&self) -> &TemporaryDeployment {
        &self.deployment
    }
}

impl RunningClewServer<'_> {
    pub(super) fn address(&self) -> &str {
        self.process.endpoint().trim_start_matches("http://")
    }

    pub(super) async fn run_session_collection(&self, node: &NodeRef) -> Result<RequestId, BenchError> {
        let started =
            self.client.start_collection(&node.instance, &node.node, &StartCollectionRequest::default()).await;
        let id = started.map_err(|cause| self.build_request_error_with_server_log(&cause))?;
        self.wait_for_collection_task(node, &id).await?;
        Ok(id)
    }

    pub(super) async fn wait_for_collection_task(&self, node: &NodeRef, id: &RequestId) -> Result<(), BenchError> {
        let waited =
            self.client.wait_for_collection_task(&node.instance, &node.node, id, COLLECTION_TIMEOUT, |_, _| {}).await;
        match waited.map_err(|cause| self.build_request_error_with_server_log(&cause))? {
            CollectionStatus::Finished => Ok(()),
            status => {
                let cause = format!("the collection is {status:?}");
                let log = self.inventory.deployment.read_server_log();
                Err(DevtoolsError::unexpected_output_error("clew serve", cause, log).into())
            }
        }
    }

    /// Returns the request ids of the collection tasks, in the order of `nodes`.
    pub(super) async fn collect_sessions_from_all_nodes(
        &self,
        nodes: &[NodeRef],
    ) -> Result<Vec<RequestId>, BenchError> {
        let ids = self.enqueue_collections(nodes).await?;
        for (node, id) in nodes.iter().zip(&ids) {
            self.wait_for_collection_task(node, id).await?;
        }
        Ok(ids)
    }

    /// Returns the request ids of the collection tasks, in the order of `nodes`.
    pub(super) async fn enqueue_collections(&self, nodes: &[NodeRef]) -> Result<Vec<RequestId>, BenchError> {
        let mut ids = vec![None; nodes.len()];
        let mut submissions = JoinSet::new();
        let mut remaining = nodes.iter().cloned().enumerate();
        loop {
            for (at, node) in remaining.by_ref().take(MAX_CONCURRENT_REQUESTS - submissions.len()) {
                let client = self.client.clone();
                submissions.spawn(async move {
                    let started =
                        client.start_collection(&node.instance, &node.node, &StartCollectionRequest::default()).await;
                    started.map(|id| (at, id))
                });
            }
            let Some(submitted) = submissions.join_next().await else { break };
            let submitted = submitted.map_err(|error| DevtoolsError::Runtime(error.into()))?;
            let (at, id) = submitted.map_err(|cause| self.build_request_error_with_server_log(&cause))?;
            if let Some(slot) = ids.get_mut(at) {
                *slot = Some(id);
            }
        }
        Ok(ids.into_iter().flatten().collect())
    }

    /// Returns the size of the collection result in bytes.
    pub(super) async fn download_result(&self, node: &NodeRef, id: &RequestId, to: &Path) -> Result<u64, BenchError> {
        let mut file = FileSink::create(to).await.map_err(DevtoolsError::file_error("create", to))?;
        let downloaded = self.client.download(&node.instance, &node.node, id, &mut file, |_, _| {}).await;
        downloaded.map(|downloaded| downloaded.bytes).map_err(|cause| self.build_request_error_with_server_log(&cause))
    }

    fn build_request_error_with_server_log(&self, cause: &ClientError) -> BenchError {
        let log = self.inventory.deployment.read_server_log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(MAX_ERROR_LOG_LINES)..).unwrap_or_default();
        DevtoolsError::Failed(format!("{cause}. Last lines of the server's log:\n{}", last.join("\n"))).into()
    }

    /// Returns the total duration and the notification delay.
    /// The notification delay is the time from the logged end of the collection until the client receives the notification.
    pub(super) async fn measure_session_collection_and_download(
        &self,
        node: &NodeRef,
        to: &Path,
    ) -> Result<(Duration, Option<Duration>), BenchError> {
        let start = Instant::now();
        let id = self.run_session_collection(node).await?;
        let noticed = Timestamp::now();
        self.download_result(node, &id, to).await?;
        let elapsed = start.elapsed();
        let delay =
            self.find_collection_end_time(&id).and_then(|ended| Duration::try_from(noticed.duration_since(ended)).ok());
        Ok((elapsed, delay))
    }

    fn find_collection_end_time(&self, id: &RequestId) -> Option<Timestamp> {
        let mut ends = parse_collection_end_times(&self.inventory.deployment.read_server_log()).into_iter();
        ends.find_map(|(finished, at)| (finished == id.as_str()).then_some(at))
    }

    pub(super) fn build_collect_command(&self, node: &NodeRef) -> Command {
        let (instance, node) = (node.instance.to_string(), node.node.to_string());
        self.inventory.deployment.client_command(&self.process, &["collect", "--instance", &instance, "--node", &node])
    }

    /// A load generator can repeat the request for 15 minutes, until the signature expires.
    pub(super) fn create_signed_request(
        &self,
        key: &AccessKey,
        node: &NodeRef,
        resource: &str,
        id: &RequestId,
    ) -> HttpGetRequest {
        let project = &self.inventory.deployment.credentials.project_id;
        let NodeRef { instance, node } = node;
        let path = format!("/v3/{project}/instances/{instance}/nodes/{node}/{resource}");
        let query = format!("request_id={}", signature::percent_encode(id.as_str()));
        let date = signature::format_x_sdk_date(Timestamp::now());
        let mut headers = vec![
            ("host".to_owned(), self.address().to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-sdk-date".to_owned(), date.clone()),
            ("x-project-id".to_owned(), project.clone()),
        ];
        let request = RequestToSign {
            method: "GET",
            path: &path,
            query: &query,
            headers: &headers,
            body_sha256: signature::hash_body(b""),
        };
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        // `clew key create` printed the key, so parsing does not fail.
        let authorization = key
            .access_key
            .parse()
            .map(|id| signature::sign_request(&request, &names, &date, &id, &key.secret_key.clone().into()));
        headers.push(("authorization".to_owned(), authorization.unwrap_or_default()));
        HttpGetRequest { target: format!("{path}?{query}"), headers }
    }

    pub(super) fn peak_memory_mib(&self) -> f64 {
        self.process.pid().and_then(processes::read_peak_memory_kib).map_or(0.0, processes::kib_to_mib)
    }

    pub(super) async fn stop(self) -> Result<(), DevtoolsError> {
        self.process.stop().await
    }
}

pub(super) fn parse_collection_end_times(log: &str) -> Vec<(String, Timestamp)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let finished = lines.filter(|line| text(line, "message") == "collection completed");
    finished.filter_map(|line| Some((text(&line, "task.request_id"), text(&line, "timestamp").parse().ok()?))).collect()
}

#[derive(Debug, Clone)]
pub(super) struct HttpGetRequest {
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
}

impl HttpGetRequest {
    pub(super) fn create_unsigned_request(target: &str, host: &str) -> Self {
        Self { target: target.to_owned(), headers: vec![("host".to_owned(), host.to_owned())] }
    }

    pub(super) fn format_request_head(&self) -> String {
        let headers: Vec<String> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("GET {} HTTP/1.1\r\n{}\r\n", self.target, headers.concat())
    }
}
