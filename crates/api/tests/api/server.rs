//! Test server on its own port, with a tenant and an instance of two nodes.
//!
//! The server has no worker: tests write collections into the store themselves.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use clew_api::{ApiSettings, AppComponents, AppState, Metrics, RateLimitSettings, RateLimiters};
use clew_diagnose::ProtectedAccounts;
use clew_http::{Listener, ServeError};
use clew_model::{
    AccessKeyId, Actor, AuditOrigin, CollectionTaskOutcome, Failure, Instance, InstanceId, NewInstance, NewNode,
    NodeId, NodeRole, ProjectId, RequestId, SessionSelection, Tag, UserId,
};
use clew_store::{
    ClaimedTask, Clock, InitialTenant, InitialTenantIds, IntelligentKillRequest, NewSessionCollectionTask, NewToken,
    ResultStore, Store, StoreLocation, TaskClaimRequest, TokenOrigin,
};
use clew_testkit::PostgreSqlServer;
use clew_worker::{IntelligentKillQueue, KillExecutor, SessionCollectionQueue, WorkerSettings};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::call::{Call, TOKEN};

pub(crate) const REGION: &str = "north-1";
pub(crate) const DOMAIN: &str = "acme";
pub(crate) const USER: &str = "ada";
/// A protected account.
pub(crate) const PROTECTED: &str = "billing";
/// Password of the accounts on the nodes. No response may contain it.
pub(crate) const NODE_PASSWORD: &str = "nodepass";

/// Audit origin of the tests.
pub(crate) fn test_origin() -> AuditOrigin {
    AuditOrigin::for_local_account("test")
}

/// Disabled rate limits.
pub(crate) const NO_RATES: RateLimitSettings =
    RateLimitSettings { principal_per_second: 0, principal_burst: 0, peer_per_second: 0, peer_burst: 0 };

pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    pub(crate) tenant: InitialTenantIds,
    pub(crate) access_key: AccessKeyId,
    pub(crate) secret_key: SecretString,
    pub(crate) instance: Instance,
    /// Executor for tests that execute intelligent kill operations.
    pub(crate) intelligent_kills: IntelligentKillQueue,
    pub(crate) collections: SessionCollectionQueue,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), ServeError>>,
    token: String,
    client: reqwest::Client,
    folder: TempDir,
    /// Offset of the store's clock, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, _| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings)) -> Self {
        // All requests of a test come from one address.
        Self::start_limited(NO_RATES, change).await
    }

    pub(crate) async fn start_limited(
        rates: RateLimitSettings,
        change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings),
    ) -> Self {
        Self::start_on(Listener::from, rates, change).await
    }

    pub(crate) async fn start_on(
        listener: impl FnOnce(TcpListener) -> Listener,
        rates: RateLimitSettings,
        change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings),
    ) -> Self {
        Self::start_storing(|store| store, listener, rates, change).await
    }

    /// Starts a server with a modified store.
    pub(crate) async fn start_with_store(change: impl FnOnce(Store) -> Store) -> Self {
        Self::start_storing(change, Listener::from, NO_RATES, |_, _| {}).await
    }

    /// Starts a server with another result store.
    pub(crate) async fn start_keeping(results: ResultStore) -> Self {
        Self::start_storing(|store| store.with_result_store(results), Listener::from, NO_RATES, |_, _| {}).await
    }

    async fn start_storing(
        modify_store: impl FnOnce(Store) -> Store,
        listener: impl FnOnce(TcpListener) -> Listener,
        rates: RateLimitSettings,
        change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("data").into();
        Self::start_at(location, folder, modify_store, listener, rates, change).await
    }

    /// Starts a server with its metadata in a PostgreSQL database.
    pub(crate) async fn start_on_postgresql(
        database: &PostgreSqlServer,
        change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = postgresql(database, &folder);
        Self::start_at(location, folder, |store| store, Listener::from, NO_RATES, change).await
    }

    /// Starts another server on the same database. It shares only the master key, like a server on another machine.
    pub(crate) async fn start_beside(&self, database: &PostgreSqlServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = postgresql(database, &folder);
        std::fs::create_dir(&location.data_dir).unwrap();
        let key = location.data_dir.join("master.key");
        std::fs::copy(self.folder.path().join("data/master.key"), key).unwrap();
        let store = Store::open(location).await.unwrap();
        let initialized = (store, self.tenant.clone(), self.access_key.clone(), self.secret_key.clone());
        Self::serve(initialized, self.instance.clone(), folder, Listener::from, NO_RATES, |_, _| {}).await
    }

    async fn start_at(
        location: StoreLocation,
        folder: TempDir,
        modify_store: impl FnOnce(Store) -> Store,
        listener: impl FnOnce(TcpListener) -> Listener,
        rates: RateLimitSettings,
        change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings),
    ) -> Self {
        let (access_key, secret_key) = (AccessKeyId::generate(), clew_iam::access_key::generate_secret_key().unwrap());
        let tenant = InitialTenant {
            region: REGION.into(),
            domain_name: DOMAIN.into(),
            user_name: USER.into(),
            password_hash: "no password fits this".into(),
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
        };
        let (store, tenant) = Store::initialize(&test_origin(), location, tenant).await.unwrap();
        let store = modify_store(store);
        let instance =
            store.instances().add_instance(&test_origin(), new_instance(&tenant.project_id, "shop")).await.unwrap();
        let initialized = (store, tenant, access_key, secret_key);
        Self::serve(initialized, instance, folder, listener, rates, change).await
    }

    async fn serve(
        (store, tenant, access_key, secret_key): (Store, InitialTenantIds, AccessKeyId, SecretString),
        instance: Instance,
        folder: TempDir,
        listener: impl FnOnce(TcpListener) -> Listener,
        rates: RateLimitSettings,
        change: impl FnOnce(&mut ApiSettings, &mut WorkerSettings),
    ) -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let offset = ahead.clone();
        let now = move || Timestamp::now().as_millisecond() + offset.load(Ordering::Relaxed);
        let store = store.with_clock(Clock::new(now));

        let (mut settings, mut task_settings) = (ApiSettings::default(), WorkerSettings::default());
        change(&mut settings, &mut task_settings);
        let metrics = Metrics::default();
        let connector = task_settings.connector.clone();
        let kills = KillExecutor::new(store.clone(), ProtectedAccounts::default().with_accounts([PROTECTED]));
        let intelligent_kills = IntelligentKillQueue::new(store.clone(), kills.clone(), &task_settings);
        let collections = SessionCollectionQueue::new(store.clone(), task_settings, Arc::new(metrics.clone()));
        let limits = RateLimiters::new(rates, metrics.clone());
        let parts = AppComponents {
            store: store.clone(),
            collections: collections.clone(),
            connector,
            kills,
            intelligent_kills: intelligent_kills.clone(),
            settings,
            limits,
            metrics,
        };
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(clew_api::serve(AppState::new(parts), listener(socket), shutdown.clone()));

        // Fails if another test of this process has already set the provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        let mut server = Self {
            store,
            address,
            tenant,
            access_key,
            secret_key,
            instance,
            intelligent_kills,
            collections,
            shutdown,
            serving,
            token: String::new(),
            client,
            folder,
            ahead,
        };
        server.token = server.token_of(&server.tenant.user_id, Some(&server.tenant.project_id), 3600).await;
        server
    }

    /// Default token of calls.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Creates a token with a lifetime in seconds.
    pub(crate) async fn token_of(&self, user: &UserId, project: Option<&ProjectId>, seconds: i64) -> String {
        self.token_from(TokenOrigin::Api, user, project, seconds).await
    }

    pub(crate) async fn token_from(
        &self,
        origin: TokenOrigin,
        user: &UserId,
        project: Option<&ProjectId>,
        seconds: i64,
    ) -> String {
        let token = format!("{:x<64}", RequestId::generate().to_string().replace(['_', '-'], ""));
        let now = Timestamp::now().as_second();
        let new = NewToken {
            hash: clew_iam::token::hash_token(&token),
            user_id: user.clone(),
            scope_project: project.cloned(),
            issued_by_methods: vec!["password".into()],
            issued_at: now - 10,
            expires_at: now + seconds,
            origin,
        };
        self.store.identities().insert_token(&new).await.unwrap();
        token
    }

    /// Clears the failures of a subject, such as `user:acme/grace`, from the local address and from unknown addresses.
    pub(crate) async fn clear_auth_failures(&self, subject: &str) {
        for subject in [subject.to_owned(), format!("address:127.0.0.1 {subject}")] {
            self.store.lockouts().clear_auth_failures(&subject).await.unwrap();
        }
    }

    /// Advances the store's clock.
    pub(crate) fn clock_forward(&self, by: Duration) {
        self.ahead.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call {
            client: self.client.clone(),
            method,
            url: format!("http://{}{path}", self.address).parse().unwrap(),
            headers: vec![(TOKEN.to_owned(), self.token.clone())],
            body: Vec::new(),
        }
    }

    /// Signs a request as the tenant's administrator.
    pub(crate) fn sign(&self, call: Call) -> Call {
        call.signed(&self.access_key, &self.secret_key, SignedDuration::ZERO)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn get_in_chinese(&self, path: &str) -> Answer {
        self.call(Method::GET, path).chinese().send().await
    }

    /// Opens a TCP connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Text of a request for [`Server::connect`].
    pub(crate) fn raw(&self, first_line: &str, more: &str) -> String {
        format!("{first_line} HTTP/1.1\r\nhost: {}\r\n{TOKEN}: {}\r\n{more}", self.address, self.token)
    }

    pub(crate) fn node(&self) -> NodeId {
        self.instance.nodes[0].id.clone()
    }

    /// Replaces the test instance by an instance whose nodes are all at `url`.
    pub(crate) async fn set_node_url(&mut self, url: &str) {
        let mut new = new_instance(&self.tenant.project_id, "shop");
        "watched".clone_into(&mut new.name);
        for node in &mut new.nodes {
            node.url = url.parse().unwrap();
        }
        self.instance = self.store.instances().add_instance(&test_origin(), new).await.unwrap();
    }

    /// A path of the first node.
    pub(crate) fn node_path(&self, rest: &str) -> String {
        format!("/v3/{}/instances/{}/nodes/{}/{rest}", self.tenant.project_id, self.instance.id, self.node())
    }

    /// A path of the first node's sessions.
    pub(crate) fn sessions(&self, rest: &str) -> String {
        self.sessions_of(&self.node(), rest)
    }

    pub(crate) fn sessions_of(&self, node: &NodeId, rest: &str) -> String {
        format!("/v3/{}/instances/{}/nodes/{node}/realtime-session{rest}", self.tenant.project_id, self.instance.id)
    }

    pub(crate) fn status_of(&self, id: &RequestId) -> String {
        self.sessions(&format!("-task?request_id={id}"))
    }

    pub(crate) fn result_of(&self, id: &RequestId) -> String {
        self.sessions(&format!("-result?request_id={id}"))
    }

    /// Queues a collection of the first node.
    pub(crate) async fn queued(&self) -> RequestId {
        self.queue(false).await
    }

    async fn queue(&self, masked: bool) -> RequestId {
        let request_id = RequestId::generate();
        let task = NewSessionCollectionTask {
            request_id: request_id.clone(),
            project_id: self.tenant.project_id.clone(),
            instance_id: self.instance.id.clone(),
            node_id: self.node(),
            selection: SessionSelection::default(),
            masked,
        };
        self.store.tasks().enqueue_task(&task, 100).await.unwrap();
        request_id
    }

    /// Creates a claimed collection. No other collection may be queued, because the oldest is claimed.
    pub(crate) async fn add_running(&self) -> ClaimedTask {
        self.run(false).await
    }

    async fn run(&self, masked: bool) -> ClaimedTask {
        let id = self.queue(masked).await;
        let (worker, lease) = ("a test".to_owned(), Duration::from_hours(1));
        let claim = TaskClaimRequest { worker, lease, max_per_node: 100, excluded_nodes: vec![], max_tasks: 1 };
        let claimed = self.store.tasks().claim_tasks(claim).await.unwrap().tasks.remove(0);
        assert_eq!(claimed.task.request.request_id, id);
        claimed
    }

    /// Creates a failed collection.
    pub(crate) async fn add_failed(&self, failure: Failure) -> RequestId {
        self.end(self.add_running().await, CollectionTaskOutcome::Failed(failure)).await
    }

    /// Creates a finished collection with these rows.
    pub(crate) async fn add_finished(&self, rows: &[u8]) -> RequestId {
        self.finish(self.add_running().await, rows).await
    }

    /// Creates a finished, masked collection with these rows.
    pub(crate) async fn finished_masked(&self, rows: &[u8]) -> RequestId {
        self.finish(self.run(true).await, rows).await
    }

    async fn finish(&self, claimed: ClaimedTask, rows: &[u8]) -> RequestId {
        let (results, id, fence) =
            (self.store.result_store().clone(), claimed.task.request.request_id.clone(), claimed.fence);
        let rows = rows.to_vec();
        let writing = tokio::task::spawn_blocking(move || {
            let mut writer = results.create_writer(&id, fence).unwrap();
            writer.write_all(&rows).unwrap();
            writer.publish().unwrap()
        });
        let published = writing.await.unwrap();
        let outcome = CollectionTaskOutcome::Finished {
            result_name: published.name,
            rows: 1,
            bytes: published.bytes,
            sha256: published.sha256,
            limitations: Vec::new(),
        };
        self.end(claimed, outcome).await
    }

    async fn end(&self, claimed: ClaimedTask, outcome: CollectionTaskOutcome) -> RequestId {
        assert!(
            self.store.tasks().complete_task(&claimed.task.request.request_id, claimed.fence, &outcome).await.unwrap()
        );
        claimed.task.request.request_id
    }

    /// Path and query of the link to the report of a completed intelligent kill. No other may be queued.
    pub(crate) async fn intelligent_kill_link(&self) -> String {
        let new = IntelligentKillRequest {
            by: AuditOrigin {
                actor: Actor::User {
                    id: self.tenant.user_id.clone(),
                    name: USER.into(),
                    domain_id: self.tenant.domain_id.clone(),
                },
                ..test_origin()
            },
            project_id: self.tenant.project_id.clone(),
            instance_id: InstanceId::generate(),
            node_id: NodeId::generate(),
        };
        let id = self.store.kills().insert_intelligent_kill(&new, 1).await.unwrap();
        loop {
            let claimed = self
                .store
                .kills()
                .claim_intelligent_kill(Duration::from_hours(1), Duration::from_hours(1))
                .await
                .unwrap();
            if claimed.is_some_and(|claimed| claimed.id == id) {
                break;
            }
        }
        assert!(self.store.kills().finish_intelligent_kill(id, None, 0).await.unwrap());
        let expires = self.store.compute_link_expiry(Duration::from_hours(1));
        let signature = self.store.sign_link(&format!("intelligent-kill {id}"), expires);
        format!("/clew/v1/intelligent-kills/{id}?expires={expires}&signature={signature}")
    }

    /// The only result file.
    pub(crate) fn result_file(&self) -> std::path::PathBuf {
        let results = self.folder.path().join("data/results");
        let mut files: Vec<_> = std::fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        files.remove(0)
    }
}

fn postgresql(database: &PostgreSqlServer, folder: &TempDir) -> StoreLocation {
    StoreLocation { data_dir: folder.path().join("data"), metadata_url: Some(database.url().parse().unwrap()) }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A master and a replica.
pub(crate) fn new_instance(project: &ProjectId, name: &str) -> NewInstance {
    let node = |role, host: &str| NewNode {
        zone: None,
        id: None,
        role,
        url: format!("mysql://reader:{NODE_PASSWORD}@{host}:3307/").parse().unwrap(),
    };
    NewInstance {
        id: None,
        project_id: project.clone(),
        name: name.to_owned(),
        enterprise_project_id: "0".to_owned(),
        tags: vec![Tag { key: "team".into(), value: name.to_owned() }],
        nodes: vec![
            node(NodeRole::Master, &format!("{name}-master.example")),
            node(NodeRole::Slave, &format!("{name}-replica.example")),
        ],
    }
}
