//! A server that tests own: everything real but the nodes, whose sessions a test makes up.

use std::io::Write;
use std::sync::Arc;

use clew_api::{ApiSettings, Metrics, Service};
use clew_iam::signature::{self, RequestToSign};
use clew_iam::{password, token};
use clew_model::{
    AccessKeyId, Failure, FailureKind, Instance, NewInstance, NewNode, NodeId, NodeRole, NodeUrl, ProjectId, RequestId,
    Selection, Tag, TaskOutcome,
};
use clew_store::{FirstTenant, Founded, NewTask, NewToken, Store};
use clew_tasks::{Collections, NodeReader, Reading, Rows, Settings};
use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PASSWORD: &str = "the password of ada";
pub(crate) const SECRET_KEY: &str = "the-secret-key-of-the-first-access-key";
pub(crate) const ACCESS_KEY: &str = "AKTEST00000000000000";
pub(crate) const REGION: &str = "here-1";
/// A row as a collection stores it.
pub(crate) const ROW: &str = "1,app,10.0.0.7:51234,shop,executing,Query,SELECT 1,3,,,,,,,\r\n";

/// A server under test. Dropped, it stops.
pub(crate) struct Fixture {
    pub(crate) url: String,
    pub(crate) store: Store,
    collections: Collections,
    pub(crate) founded: Founded,
    pub(crate) instance: Instance,
    pub(crate) client: Client,
    pub(crate) token: String,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Sessions of made-up nodes: those of host `refused.example` cannot be read.
struct MadeUp;

impl NodeReader for MadeUp {
    fn read<'a>(&'a self, node: &'a NodeUrl, _selection: &'a Selection) -> Reading<'a> {
        Box::pin(async move {
            if node.host == "refused.example" {
                return Err(Failure::new(FailureKind::Unreachable, "refused.example:3306"));
            }
            Ok(Rows::new(1, |out| out.write_all(ROW.as_bytes())))
        })
    }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(ApiSettings::default()).await
    }

    pub(crate) async fn with(settings: ApiSettings) -> Self {
        // Whoever comes second finds the same provider there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let tenant = FirstTenant {
            region: REGION.into(),
            domain_name: "acme".into(),
            user_name: "ada".into(),
            password_hash: password::hash(&SecretString::from(PASSWORD)).unwrap(),
            access_key: ACCESS_KEY.parse().unwrap(),
            secret_key: SecretString::from(SECRET_KEY),
        };
        let (store, founded) = Store::initialise(&folder.path().join("data"), tenant).await.unwrap();
        let instance = store.add_instance(shop(&founded.project_id)).await.unwrap();
        let metrics = Metrics::default();
        let (observer, reader) = (Arc::new(metrics.clone()), Arc::new(MadeUp));
        let tasks = Settings { queue_per_node: 2, ..Settings::default() };
        let collections = Collections::with_reader(store.clone(), tasks, observer, reader);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let service = Service { store: store.clone(), collections: collections.clone(), settings, metrics };
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move { clew_api::serve(service, listener, stop).await.unwrap() });
        let token = add_token(&store, &founded, Some(&founded.project_id), 3600).await;
        let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { url, store, collections, founded, instance, client, token, shutdown, serving, _folder: folder }
    }

    /// Starts the worker: collections stay queued until then.
    pub(crate) fn work(&self) {
        tokio::spawn(self.collections.clone().run(self.shutdown.clone()));
    }

    /// A request with a good token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).header("X-Auth-Token", &self.token)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A collection with this body.
    pub(crate) fn collect(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, &self.path("realtime-session")).body(body)
    }

    /// A path of the master.
    pub(crate) fn path(&self, last: &str) -> String {
        self.path_of(&self.instance.nodes[0].id, last)
    }

    pub(crate) fn path_of(&self, node: &NodeId, last: &str) -> String {
        format!("/v3/{}/instances/{}/nodes/{node}/{last}", self.founded.project_id, self.instance.id)
    }

    pub(crate) fn result_path(&self, id: &RequestId) -> String {
        self.path(&format!("realtime-session-result?request_id={id}"))
    }

    pub(crate) fn status_path(&self, id: &RequestId) -> String {
        self.path(&format!("realtime-session-task?request_id={id}"))
    }

    /// A finished collection of the master with this body.
    pub(crate) async fn publish(&self, body: &[u8]) -> RequestId {
        let (id, fence) = self.running().await;
        let mut writer = self.store.results().create(&id, fence).unwrap();
        writer.write_all(body).unwrap();
        let published = writer.publish().unwrap();
        let outcome = TaskOutcome::Finished {
            result_name: published.name,
            rows: 1,
            bytes: published.bytes,
            sha256: published.sha256,
        };
        assert!(self.store.end_task(&id, fence, &outcome).await.unwrap());
        id
    }

    /// A collection of the master that someone holds, and the fence of it.
    pub(crate) async fn running(&self) -> (RequestId, i64) {
        let task = NewTask {
            request_id: RequestId::generate(),
            project_id: self.founded.project_id.clone(),
            instance_id: self.instance.id.clone(),
            node_id: self.instance.nodes[0].id.clone(),
            selection: Selection::default(),
        };
        self.store.insert_task(&task, 32).await.unwrap();
        let lease = std::time::Duration::from_mins(10);
        let claimed = self.store.claim_task("test", lease, 32).await.unwrap().unwrap();
        assert_eq!(claimed.task.request_id, task.request_id);
        (task.request_id, claimed.fence)
    }

    /// A token of ada's.
    pub(crate) async fn token(&self, project: Option<&ProjectId>, seconds: i64) -> String {
        add_token(&self.store, &self.founded, project, seconds).await
    }

    /// A domain with a project and an instance of its own.
    pub(crate) async fn neighbour(&self) -> Instance {
        let domain = self.store.add_domain("neighbour").await.unwrap();
        let project = self.store.add_project(&domain, REGION).await.unwrap();
        self.store.add_instance(shop(&project)).await.unwrap()
    }
}

async fn add_token(store: &Store, founded: &Founded, project: Option<&ProjectId>, seconds: i64) -> String {
    let secret = token::generate().unwrap();
    let now = Timestamp::now().as_second();
    let new = NewToken {
        hash: token::hash(secret.expose_secret()),
        user_id: founded.user_id.clone(),
        scope_project: project.cloned(),
        issued_at: now,
        expires_at: now + seconds,
    };
    store.insert_token(&new).await.unwrap();
    secret.expose_secret().to_owned()
}

/// A master that can be read and a replica that cannot.
pub(crate) fn shop(project: &ProjectId) -> NewInstance {
    let node = |role, url: &str| NewNode { id: None, role, url: url.parse().unwrap() };
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    NewInstance {
        id: None,
        project_id: project.clone(),
        name: "shop".into(),
        enterprise_project_id: "0".into(),
        tags: vec![tag("env", "prod"), tag("team", "cart")],
        nodes: vec![
            node(NodeRole::Master, "mysql://clew:node-password@master.example:3306/"),
            node(NodeRole::Slave, "mysql://clew:node-password@refused.example:3307/"),
        ],
    }
}

/// What a signature is made of; tests spoil one thing at a time.
pub(crate) struct Signer<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) date: String,
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
}

impl<'a> Signer<'a> {
    pub(crate) fn get(path: &'a str, query: &'a str) -> Self {
        let date = signature::date(Timestamp::now());
        Self { method: "GET", path, query, body: b"", date, access_key: ACCESS_KEY, secret_key: SECRET_KEY }
    }

    /// Adds date and signature to a request.
    pub(crate) fn sign(&self, fixture: &Fixture, request: RequestBuilder) -> RequestBuilder {
        let host = fixture.url.trim_start_matches("http://").to_owned();
        let headers = [("host".to_owned(), host), ("x-sdk-date".to_owned(), self.date.clone())];
        let to_sign = RequestToSign {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: &headers,
            body_sha256: signature::body_sha256(self.body),
        };
        let key: AccessKeyId = self.access_key.parse().unwrap();
        let secret = SecretString::from(self.secret_key);
        let signed = signature::sign(&to_sign, &["host", "x-sdk-date"], &self.date, &key, &secret);
        request.header("X-Sdk-Date", &self.date).header("Authorization", signed)
    }
}

/// Status, code and message of an error; its form is checked on the way.
pub(crate) async fn refusal(request: RequestBuilder) -> (u16, String, String) {
    read_refusal(request.send().await.unwrap()).await
}

pub(crate) async fn read_refusal(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let header = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(header.len(), 32);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned();
    let code = text("error_code");
    if code.starts_with("APIGW.") {
        assert_eq!(text("request_id"), header);
    } else {
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    }
    (status, code, text("error_msg"))
}

/// The body of an answer of this status.
pub(crate) async fn answer(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    let (given, body) = (response.status().as_u16(), response.text().await.unwrap());
    assert_eq!(given, status, "{body}");
    serde_json::from_str(&body).unwrap()
}
