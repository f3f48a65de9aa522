//! A store in a temporary folder with some nodes, and a worker on it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clew_model::{
    AccessKeyId, FailureKind, Instance, NewInstance, NewNode, NodeId, NodeRole, Origin, RequestId, Selection,
    TaskStatus,
};
use clew_store::{Claim, ClaimedTask, FirstTenant, Location, PostgresUrl, Store, StoreError, StoredResult, Task};
use clew_tasks::{Collections, NodeReader, Observer, Settings};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// After this a test that waits has failed. Nothing waits this long otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// What an observer was told, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Collected(u64),
    Failed(FailureKind),
}

#[derive(Default)]
pub(crate) struct Listener(Mutex<Vec<Told>>);

impl Observer for Listener {
    fn collected(&self, rows: u64, seconds: f64) {
        assert!(seconds >= 0.0);
        self.0.lock().unwrap().push(Told::Collected(rows));
    }

    fn failed(&self, kind: FailureKind) {
        self.0.lock().unwrap().push(Told::Failed(kind));
    }

    fn looks_every(&self, _node: &NodeId, _interval: Option<Duration>) {}
}

/// Who the tests are in the audit.
pub(crate) fn by() -> Origin {
    Origin::local("test")
}

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) collections: Collections,
    pub(crate) instance: Instance,
    listener: Arc<Listener>,
    folder: TempDir,
}

pub(crate) struct Worker {
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Bench {
    /// One instance with a node on each of `hosts`; the first is its master.
    pub(crate) async fn new(hosts: &[&str], settings: Settings, reader: Arc<dyn NodeReader>) -> Self {
        Self::at(hosts, settings, reader, None).await
    }

    /// The same with its metadata in a server's database.
    pub(crate) async fn at(
        hosts: &[&str],
        settings: Settings,
        reader: Arc<dyn NodeReader>,
        metadata: Option<PostgresUrl>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location { data_dir: folder.path().join("clew-data"), metadata };
        let (store, founded) = Store::initialise(&by(), location, tenant()).await.unwrap();
        let nodes = hosts.iter().enumerate().map(|(at, host)| NewNode {
            zone: None,
            id: None,
            role: if at == 0 { NodeRole::Master } else { NodeRole::Slave },
            url: format!("mysql://clew:secret@{host}/").parse().unwrap(),
        });
        let instance = NewInstance {
            id: None,
            project_id: founded.project_id,
            name: "shop".into(),
            enterprise_project_id: "0".into(),
            tags: vec![],
            nodes: nodes.collect(),
        };
        let instance = store.add_instance(&by(), instance).await.unwrap();
        let listener = Arc::<Listener>::default();
        let collections = Collections::with_reader(store.clone(), settings, listener.clone(), reader);
        Self { store, collections, instance, listener, folder }
    }

    /// The same store, other settings and reader.
    pub(crate) fn with(&mut self, settings: Settings, reader: Arc<dyn NodeReader>) {
        self.collections = Collections::with_reader(self.store.clone(), settings, self.listener.clone(), reader);
    }

    pub(crate) fn node(&self, host: &str) -> NodeId {
        self.instance.nodes.iter().find(|node| node.url.host == host).unwrap().id.clone()
    }

    pub(crate) async fn submit(&self, host: &str) -> RequestId {
        self.try_submit(host, Selection::default()).await.unwrap()
    }

    pub(crate) async fn try_submit(&self, host: &str, selection: Selection) -> Result<RequestId, StoreError> {
        let (project, instance) = (self.instance.project_id.clone(), self.instance.id.clone());
        self.collections.submit(project, instance, self.node(host), selection, false).await
    }

    /// Takes a task up as another worker would, and says no more.
    pub(crate) async fn claim(&self, lease: Duration) -> Option<ClaimedTask> {
        let claim = Claim { worker: "another".to_owned(), lease, per_node: 2, set_aside: vec![], most: 1 };
        self.store.claim_tasks(claim).await.unwrap().tasks.pop()
    }

    pub(crate) fn work(&self) -> Worker {
        work(self.collections.clone())
    }

    /// Its folder, as if the metadata were there.
    pub(crate) fn location(&self) -> Location {
        self.folder.path().join("clew-data").into()
    }

    pub(crate) async fn task(&self, id: &RequestId) -> Task {
        self.store.task(id).await.unwrap().unwrap()
    }

    /// The task once nothing more will change.
    pub(crate) async fn ended(&self, id: &RequestId) -> Task {
        eventually("the end of a task", async || Some(self.task(id).await).filter(|task| task.status.is_final())).await
    }

    pub(crate) async fn finished(&self, id: &RequestId) -> Task {
        let task = self.ended(id).await;
        assert_eq!((task.status, &task.failure), (TaskStatus::Finished, &None));
        task
    }

    /// The stored bytes of a finished task.
    pub(crate) async fn body(&self, id: &RequestId) -> String {
        let record = self.finished(id).await.result.unwrap();
        match self.store.results().open(&record).await.unwrap() {
            StoredResult::File(file) => std::io::read_to_string(file).unwrap(),
            StoredResult::Object(object) => panic!("{object:?} is no file"),
        }
    }

    /// What observers of this store's workers were told.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.listener.0.lock().unwrap().clone()
    }

    /// Does to the database what no method of the store does.
    pub(crate) async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.database().await).await.unwrap();
    }

    /// The number that a query gives.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.database().await).await.unwrap()
    }

    async fn database(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("clew-data").join("clew.db"));
        file.busy_timeout(PATIENCE).connect().await.unwrap()
    }

    pub(crate) fn results_folder(&self) -> PathBuf {
        self.folder.path().join("clew-data").join("results")
    }

    /// Names in the results folder: results and what is being written.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.results_folder()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// A worker that does these.
pub(crate) fn work(collections: Collections) -> Worker {
    let shutdown = CancellationToken::new();
    Worker { running: tokio::spawn(collections.run(shutdown.clone())), shutdown }
}

impl Worker {
    /// Tells it to stop; it may still finish what it has.
    pub(crate) fn tell_to_stop(&self) {
        self.shutdown.cancel();
    }

    pub(crate) async fn stop(self) {
        self.tell_to_stop();
        timeout(PATIENCE, self.running).await.expect("the worker ends").unwrap();
    }
}

/// Waits until `look` sees it.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never saw {what}"))
}

/// Waits until it is true.
pub(crate) async fn until(what: &str, is_true: impl Fn() -> bool) {
    eventually(what, async || is_true().then_some(())).await;
}

fn tenant() -> FirstTenant {
    FirstTenant {
        region: "eu-test-1".into(),
        domain_name: "acme".into(),
        user_name: "admin".into(),
        password_hash: "$argon2id$unused".into(),
        access_key: AccessKeyId::generate(),
        secret_key: "unused".into(),
    }
}
