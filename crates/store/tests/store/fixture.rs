//! Test fixture: a store with its own backend and a manual clock.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use clew_model::{
    AccessKeyId, AuditOrigin, InstanceId, Limitation, LimitationKind, LocalizedText, NewInstance, NewNode, NodeId,
    NodeRole, ProjectId, RequestId, SessionSelection,
};
use clew_store::{
    ClaimedTask, Clock, InitialTenant, InitialTenantIds, NewSessionCollectionTask, Store, StoreError, TaskClaimRequest,
};
use secrecy::SecretString;

use crate::backend::{self, Backend, Connection, MetadataServer};
use crate::database::Database;

pub(crate) const SECRET_KEY: &str = "the-secret-key-of-the-first-access-key";
pub(crate) const NODE_PASSWORD: &str = "the-password-of-a-node";

/// Origin of changes by tests.
pub(crate) fn origin() -> AuditOrigin {
    AuditOrigin::for_local_account("test")
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) initial_ids: InitialTenantIds,
    pub(crate) backend: Backend,
    now: Arc<AtomicI64>,
}

pub(crate) fn tenant() -> InitialTenant {
    InitialTenant {
        region: "here-1".into(),
        domain_name: "acme".into(),
        user_name: "admin".into(),
        password_hash: "$argon2id$…".into(),
        access_key: "AKTEST00000000000000".parse::<AccessKeyId>().unwrap(),
        secret_key: SecretString::from(SECRET_KEY),
    }
}

impl Fixture {
    /// Creates a store on a new server.
    pub(crate) async fn new(database: Database) -> Self {
        Self::on_server(&MetadataServer::start(database).await).await
    }

    /// Creates a store on a server.
    pub(crate) async fn on_server(server: &MetadataServer) -> Self {
        let backend = Backend::on_server(server).await;
        let (store, initial_ids) =
            Store::initialize(&origin(), backend::location(backend.folder.path()), tenant()).await.unwrap();
        let now = Arc::new(AtomicI64::new(1_000_000));
        let clock = now.clone();
        Self { store: store.with_clock(Clock::new(move || clock.load(Ordering::SeqCst))), initial_ids, backend, now }
    }

    pub(crate) fn dir(&self) -> std::path::PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.backend.folder.path()
    }

    /// Opens the same store again, as another process would.
    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        Store::open(backend::location(self.folder())).await
    }

    /// Executes SQL statements on the database directly.
    pub(crate) async fn sql(&self, statements: impl AsRef<str>) {
        self.try_sql(statements).await.unwrap();
    }

    pub(crate) async fn try_sql(&self, statements: impl AsRef<str>) -> Result<(), sqlx::Error> {
        let mut connection = Connection::open(self.folder()).await;
        let result = connection.execute(&self.backend.database().translate_sql(statements.as_ref())).await;
        connection.close().await;
        result
    }

    /// Counts the rows of a table.
    pub(crate) async fn count(&self, table: &'static str) -> i64 {
        Connection::open(self.folder()).await.query_integer(&format!("SELECT COUNT(*) FROM {table}")).await
    }

    pub(crate) fn advance_clock(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub(crate) fn new_task(&self, node: &NodeId) -> NewSessionCollectionTask {
        NewSessionCollectionTask {
            request_id: RequestId::generate(),
            project_id: self.initial_ids.project_id.clone(),
            instance_id: InstanceId::generate(),
            node_id: node.clone(),
            selection: SessionSelection { user: Some("app".into()), ..SessionSelection::default() },
            masked: false,
        }
    }
}

pub(crate) fn new_instance(project: &ProjectId, name: &str, urls: &[&str]) -> NewInstance {
    let role = |at| if at == 0 { NodeRole::Master } else { NodeRole::Slave };
    NewInstance {
        id: None,
        project_id: project.clone(),
        name: name.to_owned(),
        enterprise_project_id: "0".into(),
        tags: Vec::new(),
        nodes: urls
            .iter()
            .enumerate()
            .map(|(at, url)| NewNode { zone: None, id: None, role: role(at), url: url.parse().unwrap() })
            .collect(),
    }
}

/// Limitation with all fields set.
pub(crate) fn limitation() -> Limitation {
    Limitation {
        kind: LimitationKind::OnlyOwnSessions,
        what: LocalizedText::new("Only the sessions of `clew` are visible.", "仅可见 `clew` 的会话。"),
        why: LocalizedText::new("The account lacks PROCESS.", "账号缺少PROCESS权限。"),
        remedy: Some(LocalizedText::untranslated("GRANT PROCESS ON *.* TO clew;")),
    }
}

/// Reads all files below a directory.
pub(crate) fn all_bytes(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_bytes(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
    files.sort();
    files
}

/// Claims one task for the worker "w".
pub(crate) async fn claim(store: &Store, lease: Duration, per_node: u32) -> Result<Option<ClaimedTask>, StoreError> {
    let claim = TaskClaimRequest {
        worker: "w".to_owned(),
        lease,
        max_per_node: per_node,
        excluded_nodes: vec![],
        max_tasks: 1,
    };
    Ok(store.tasks().claim_tasks(claim).await?.tasks.pop())
}
