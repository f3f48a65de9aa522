//! Harness: a store in a temporary folder with some nodes, and a worker.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clew_model::{
    AccessKeyId, AuditOrigin, CollectionTaskStatus, FailureKind, Instance, NewInstance, NewNode, NodeId, NodeRole,
    RequestId, SessionSelection,
};
use clew_store::{
    ClaimedTask, InitialTenant, PostgresUrl, SessionCollectionTask, Store, StoreError, StoreLocation, StoredResult,
    TaskClaimRequest,
};
use clew_worker::{NodeReader, SessionCollectionQueue, WorkerObserver, WorkerSettings};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Timeout of every wait. A passing test never waits this long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Event that the observer received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Collected(u64),
    Failed(FailureKind),
}

#[derive(Default)]
pub(crate) struct RecordingObserver(Mutex<Vec<Event>>);

impl WorkerObserver for RecordingObserver {
    fn record_collection_success(&self, rows: u64, seconds: f64) {
        assert!(seconds >= 0.0);
        self.0.lock().unwrap().push(Event::Collected(rows));
    }

    fn record_collection_failure(&self, kind: FailureKind) {
        self.0.lock().unwrap().push(Event::Failed(kind));
    }

    fn record_poll_interval_change(&self, _node: &NodeId, _interval: Option<Duration>) {}
}

/// Origin of the tests in the audit.
pub(crate) fn test_origin() -> AuditOrigin {
    AuditOrigin::for_local_account("test")
}

pub(crate) struct Harness {
    pub(crate) store: Store,
    pub(crate) collections: SessionCollectionQueue,
    pub(crate) instance: Instance,
    observer: Arc<RecordingObserver>,
    folder: TempDir,
}

pub(crate) struct Worker {
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Harness {
    /// Creates an instance with a node on each of `hosts`; the first node is the master.
    pub(crate) async fn new(hosts: &[&str], settings: WorkerSettings, reader: Arc<dyn NodeReader>) -> Self {
        Self::with_metadata(hosts, settings, reader, None).await
    }

    /// Creates the instance in a store whose metadata is in the given PostgreSQL database.
    pub(crate) async fn with_metadata(
        hosts: &[&str],
        settings: WorkerSettings,
        reader: Arc<dyn NodeReader>,
        metadata: Option<PostgresUrl>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation { data_dir: folder.path().join("clew-data"), metadata_url: metadata };
        let (store, ids) = Store::initialize(&test_origin(), location, tenant()).await.unwrap();
        let nodes = hosts.iter().enumerate().map(|(at, host)| NewNode {
            zone: None,
            id: None,
            role: if at == 0 { NodeRole::Master } else { NodeRole::Slave },
            url: format!("mysql://clew:secret@{host}/").parse().unwrap(),
        });
        let instance = NewInstance {
            id: None,
            project_id: ids.project_id,
            name: "shop".into(),
            enterprise_project_id: "0".into(),
            tags: vec![],
            nodes: nodes.collect(),
        };
        let instance = store.instances().add_instance(&test_origin(), instance).await.unwrap();
        let observer = Arc::<RecordingObserver>::default();
        let collections = SessionCollectionQueue::with_node_reader(store.clone(), settings, observer.clone(), reader);
        Self { store, collections, instance, observer, folder }
    }

    /// Replaces settings and reader; the store stays.
    pub(crate) fn replace(&mut self, settings: WorkerSettings, reader: Arc<dyn NodeReader>) {
        self.collections =
            SessionCollectionQueue::with_node_reader(self.store.clone(), settings, self.observer.clone(), reader);
    }

    pub(crate) fn node(&self, host: &str) -> NodeId {
        self.instance.nodes.iter().find(|node| node.url.host == host).unwrap().id.clone()
    }

    pub(crate) async fn submit(&self, host: &str) -> RequestId {
        self.try_submit(host, SessionSelection::default()).await.unwrap()
    }

    pub(crate) async fn try_submit(&self, host: &str, selection: SessionSelection) -> Result<RequestId, StoreError> {
        let (project, instance) = (self.instance.project_id.clone(), self.instance.id.clone());
        self.collections.submit_collection(project, instance, self.node(host), selection, false).await
    }

    /// Claims a task like another worker, without renewing its lease.
    pub(crate) async fn claim(&self, lease: Duration) -> Option<ClaimedTask> {
        let claim = TaskClaimRequest {
            worker: "another".to_owned(),
            lease,
            max_per_node: 2,
            excluded_nodes: vec![],
            max_tasks: 1,
        };
        self.store.tasks().claim_tasks(claim).await.unwrap().tasks.pop()
    }

    pub(crate) fn start_worker(&self) -> Worker {
        start_worker(self.collections.clone())
    }

    /// Location of the data directory, with metadata in SQLite.
    pub(crate) fn location(&self) -> StoreLocation {
        self.folder.path().join("clew-data").into()
    }

    pub(crate) async fn task(&self, id: &RequestId) -> SessionCollectionTask {
        self.store.tasks().find_task(id).await.unwrap().unwrap()
    }

    /// Waits until the task has ended.
    pub(crate) async fn wait_until_ended(&self, id: &RequestId) -> SessionCollectionTask {
        wait_for("the end of a task", async || Some(self.task(id).await).filter(|task| task.status.is_final())).await
    }

    pub(crate) async fn wait_until_finished(&self, id: &RequestId) -> SessionCollectionTask {
        let task = self.wait_until_ended(id).await;
        assert_eq!((task.status, &task.failure), (CollectionTaskStatus::Finished, &None));
        task
    }

    /// Waits until the task has finished, and returns its result.
    pub(crate) async fn body(&self, id: &RequestId) -> String {
        let record = self.wait_until_finished(id).await.result.unwrap();
        match self.store.result_store().open_result(&record).await.unwrap() {
            StoredResult::File(file) => std::io::read_to_string(file).unwrap(),
            StoredResult::Object(object) => panic!("{object:?} is no file"),
        }
    }

    /// Events that the workers of this store reported.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.observer.0.lock().unwrap().clone()
    }

    /// Runs SQL statements on the database, bypassing the store.
    pub(crate) async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.database().await).await.unwrap();
    }

    /// Returns the number that a query selects.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.database().await).await.unwrap()
    }

    async fn database(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("clew-data").join("clew.db"));
        file.busy_timeout(TIMEOUT).connect().await.unwrap()
    }

    pub(crate) fn results_folder(&self) -> PathBuf {
        self.folder.path().join("clew-data").join("results")
    }

    /// File names in the results folder: results, and partially written results.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.results_folder()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Starts a worker.
pub(crate) fn start_worker(collections: SessionCollectionQueue) -> Worker {
    let shutdown = CancellationToken::new();
    Worker { running: tokio::spawn(collections.run(shutdown.clone())), shutdown }
}

impl Worker {
    /// Requests a shutdown. The worker may still finish running collections.
    pub(crate) fn request_stop(&self) {
        self.shutdown.cancel();
    }

    pub(crate) async fn stop(self) {
        self.request_stop();
        timeout(TIMEOUT, self.running).await.expect("worker did not stop").unwrap();
    }
}

/// Waits until `poll` returns a value.
pub(crate) async fn wait_for<T>(what: &str, poll: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = poll().await {
                return value;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, waiting).await.unwrap_or_else(|_| panic!("timeout: {what}"))
}

/// Waits until the condition is true.
pub(crate) async fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    wait_for(what, async || is_true().then_some(())).await;
}

fn tenant() -> InitialTenant {
    InitialTenant {
        region: "eu-test-1".into(),
        domain_name: "acme".into(),
        user_name: "admin".into(),
        password_hash: "$argon2id$unused".into(),
        access_key: AccessKeyId::generate(),
        secret_key: "unused".into(),
    }
}
