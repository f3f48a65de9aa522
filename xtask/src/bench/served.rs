//! A `clew serve` with database servers in its inventory, and a client in this process.

use std::path::Path;
use std::time::{Duration, Instant};

use clew_client::{
    Client, ClientError, CollectionStatus, Credentials, FileTarget, RequestId, SelectionRequest, Settings,
};
use clew_iam::signature::{self, RequestToSign};
use clew_model::{InstanceId, NodeId};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::{JoinError, JoinSet};

use crate::command::Command;
use crate::error::XtaskError;
use crate::processes;
use crate::service::{Home, Key, Serving};

/// Nobody is told to come back later.
const CONFIGURATION: &str = "[limits]
principal_per_second = 0
peer_per_second = 0
streams_per_principal = 0
long_polls_per_principal = 0
[http]
connections_per_peer = 0
";
/// What whoever looks has.
const READER: &str = "TaurusDBReadOnlyAccessPolicy";
/// Requests that the client has under way at once.
const AT_ONCE: usize = 16;
/// Lines of the service's log that are shown of a failure.
const LAST_LINES: usize = 20;
/// For a collection to end.
const LIMIT: Duration = Duration::from_mins(2);

/// A data directory with nodes in its inventory.
pub(super) struct Inventory {
    home: Home,
    pub(super) nodes: Vec<NodePlace>,
}

/// A node, as paths of the API name it.
#[derive(Debug, Clone)]
pub(super) struct NodePlace {
    pub(super) instance: InstanceId,
    pub(super) node: NodeId,
}

/// The service of an inventory, and its client.
pub(super) struct Served<'a> {
    inventory: &'a Inventory,
    serving: Serving,
    client: Client,
}

impl Inventory {
    /// A new one with these servers, so many of them an instance.
    pub(super) async fn of(clew: &Path, urls: &[String], nodes_per_instance: usize) -> Result<Self, XtaskError> {
        Self::fill(Home::init(clew).await?, urls, nodes_per_instance).await
    }

    /// The same in a home that is there.
    pub(super) async fn fill(home: Home, urls: &[String], nodes_per_instance: usize) -> Result<Self, XtaskError> {
        let mut nodes = Vec::new();
        for (at, urls) in urls.chunks(nodes_per_instance).enumerate() {
            let added = home.add_instance(&format!("bench-{at}"), urls, "").await?;
            let instance: InstanceId = parsed(&added.id)?;
            for node in added.nodes {
                nodes.push(NodePlace { instance: instance.clone(), node: parsed(&node.id)? });
            }
        }
        Ok(Self { home, nodes })
    }

    /// A key of somebody who may look and nothing else: of an administrator no policy is asked.
    pub(super) async fn reader(&self) -> Result<Key, XtaskError> {
        self.home.key_of_user_with(READER).await
    }

    /// Starts its service, with a client that asks each `poll` whether a collection has ended, or as often as clients do.
    pub(super) async fn serve(&self, poll: Option<Duration>) -> Result<Served<'_>, XtaskError> {
        self.serve_with(&[], poll).await
    }

    /// The same with more arguments.
    pub(super) async fn serve_with(
        &self,
        arguments: &[&str],
        poll: Option<Duration>,
    ) -> Result<Served<'_>, XtaskError> {
        let serving = self.home.serve_with(arguments, CONFIGURATION).await?;
        let credentials = &self.home.credentials;
        let mut settings = Settings::default();
        settings.poll = poll.unwrap_or(settings.poll);
        let key = Credentials::access_key(parsed(&credentials.access_key)?, credentials.secret_key.clone().into());
        let client = Client::builder(serving.endpoint())
            .credentials(key)
            .project(parsed(&credentials.project_id)?)
            .settings(settings)
            .build()?;
        Ok(Served { inventory: self, serving, client })
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }
}

/// Ids that Clew itself printed.
fn parsed<T: std::str::FromStr>(id: &str) -> Result<T, XtaskError>
where
    T::Err: std::fmt::Display,
{
    id.parse().map_err(|error: T::Err| XtaskError::Answer {
        command: "clew".to_owned(),
        cause: error.to_string(),
        answer: id.to_owned(),
    })
}

impl Served<'_> {
    /// `host:port` of the service.
    pub(super) fn address(&self) -> &str {
        self.serving.endpoint().trim_start_matches("http://")
    }

    /// Starts a collection, and waits for its end.
    pub(super) async fn collect(&self, place: &NodePlace) -> Result<RequestId, XtaskError> {
        let started = self.client.collect(&place.instance, &place.node, &SelectionRequest::default()).await;
        let id = started.map_err(|cause| self.failed(cause))?;
        self.wait(place, &id).await?;
        Ok(id)
    }

    /// Waits for the end of a collection.
    pub(super) async fn wait(&self, place: &NodePlace, id: &RequestId) -> Result<(), XtaskError> {
        let waited = self.client.wait(&place.instance, &place.node, id, LIMIT, |_, _| {}).await;
        match waited.map_err(|cause| self.failed(cause))? {
            CollectionStatus::Finished => Ok(()),
            status => Err(XtaskError::Answer {
                command: "clew serve".to_owned(),
                cause: format!("the collection is {status:?}"),
                answer: self.inventory.home.log(),
            }),
        }
    }

    /// A collection of each node, all at once: from the first request until the last has ended; their ids in the order of the nodes.
    pub(super) async fn collect_all(&self, places: &[NodePlace]) -> Result<Vec<RequestId>, XtaskError> {
        let ids = self.start_all(places).await?;
        for (place, id) in places.iter().zip(&ids) {
            self.wait(place, id).await?;
        }
        Ok(ids)
    }

    /// Starts a collection of each node, and waits for none of them; their ids in the order of the nodes.
    pub(super) async fn start_all(&self, places: &[NodePlace]) -> Result<Vec<RequestId>, XtaskError> {
        let mut ids = vec![None; places.len()];
        let mut posting = JoinSet::new();
        for (at, place) in places.iter().cloned().enumerate() {
            if posting.len() >= AT_ONCE {
                self.keep(&mut ids, posting.join_next().await)?;
            }
            let client = self.client.clone();
            posting.spawn(async move {
                let started = client.collect(&place.instance, &place.node, &SelectionRequest::default()).await;
                started.map(|id| (at, id))
            });
        }
        while let Some(posted) = posting.join_next().await {
            self.keep(&mut ids, Some(posted))?;
        }
        Ok(ids.into_iter().flatten().collect())
    }

    fn keep(&self, ids: &mut [Option<RequestId>], posted: Option<Posted>) -> Result<(), XtaskError> {
        let Some(posted) = posted else { return Ok(()) };
        let (at, id) =
            posted.map_err(|error| XtaskError::Runtime(error.into()))?.map_err(|cause| self.failed(cause))?;
        if let Some(place) = ids.get_mut(at) {
            *place = Some(id);
        }
        Ok(())
    }

    /// Downloads a result; how many bytes it has.
    pub(super) async fn download(&self, place: &NodePlace, id: &RequestId, to: &Path) -> Result<u64, XtaskError> {
        let mut file = FileTarget::create(to).await.map_err(|cause| XtaskError::File {
            doing: "create",
            path: to.to_owned(),
            cause,
        })?;
        let downloaded = self.client.download(&place.instance, &place.node, id, &mut file, |_, _| {}).await;
        downloaded.map(|downloaded| downloaded.bytes).map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: ClientError) -> XtaskError {
        let log = self.inventory.home.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        XtaskError::Served { cause: Box::new(cause), log: last.join("\n") }
    }

    /// From POST to the last byte of the result in a file, and from the end of the collection, by the service's own log, to when the
    /// client knew of it.
    pub(super) async fn time_to_file(
        &self,
        place: &NodePlace,
        to: &Path,
    ) -> Result<(Duration, Option<Duration>), XtaskError> {
        let start = Instant::now();
        let id = self.collect(place).await?;
        let known = Timestamp::now();
        self.download(place, &id, to).await?;
        let took = start.elapsed();
        let delay = self.collected(&id).and_then(|ended| Duration::try_from(known.duration_since(ended)).ok());
        Ok((took, delay))
    }

    /// When a collection ended, by the log.
    fn collected(&self, id: &RequestId) -> Option<Timestamp> {
        let mut ends = collected(&self.inventory.home.log()).into_iter();
        ends.find_map(|(ended, at)| (ended == id.as_str()).then_some(at))
    }

    /// `clew collect` of a node.
    pub(super) fn command(&self, place: &NodePlace) -> Command {
        let (instance, node) = (place.instance.to_string(), place.node.to_string());
        self.inventory.home.client(&self.serving, &["collect", "--instance", &instance, "--node", &node])
    }

    /// A GET of something about a collection, signed once: headers that can be sent as they are for 15 minutes.
    pub(super) fn signed(&self, key: &Key, place: &NodePlace, what: &str, id: &RequestId) -> SignedGet {
        let project = &self.inventory.home.credentials.project_id;
        let NodePlace { instance, node } = place;
        let path = format!("/v3/{project}/instances/{instance}/nodes/{node}/{what}");
        let query = format!("request_id={}", signature::encode(id.as_str()));
        let date = signature::date(Timestamp::now());
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
            body_sha256: signature::body_sha256(b""),
        };
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        // Printed by `clew key create`: it is a key.
        let authorization = key
            .access_key
            .parse()
            .map(|id| signature::sign(&request, &names, &date, &id, &key.secret_key.clone().into()));
        headers.push(("authorization".to_owned(), authorization.unwrap_or_default()));
        SignedGet { target: format!("{path}?{query}"), headers }
    }

    /// The most memory that the service ever had, in MiB.
    pub(super) fn peak_mib(&self) -> f64 {
        self.serving.pid().and_then(processes::peak_kib).map_or(0.0, processes::mib)
    }

    pub(super) async fn stop(self) -> Result<(), XtaskError> {
        self.serving.stop().await
    }
}

/// The collections that a log says have ended with a result, and when.
pub(super) fn collected(log: &str) -> Vec<(String, Timestamp)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |line: &Value, key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ended = lines.filter(|line| text(line, "message") == "collected");
    ended.filter_map(|line| Some((text(&line, "task.request_id"), text(&line, "timestamp").parse().ok()?))).collect()
}

type Posted = Result<Result<(usize, RequestId), ClientError>, JoinError>;

/// A request that can be sent again and again.
#[derive(Debug, Clone)]
pub(super) struct SignedGet {
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
}

impl SignedGet {
    /// A request without any signature.
    pub(super) fn plain(target: &str, host: &str) -> Self {
        Self { target: target.to_owned(), headers: vec![("host".to_owned(), host.to_owned())] }
    }

    /// As it goes over the wire.
    pub(super) fn head(&self) -> String {
        let headers: Vec<String> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("GET {} HTTP/1.1\r\n{}\r\n", self.target, headers.concat())
    }
}
