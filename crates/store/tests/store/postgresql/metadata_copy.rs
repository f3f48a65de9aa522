//! Copies the metadata to PostgreSQL.

use clew_model::SessionSelection;
use clew_store::{
    AuditFilter, CopiedTable, InitialTenant, NewSessionCollectionTask, PostgresUrl, Store, StoreError, StoreLocation,
};
use clew_testkit::PostgreSqlServer;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::all_tables;
use crate::fixture::{origin, tenant};

/// A data directory with rows in every table, and an empty server.
struct CopyFixture {
    folder: TempDir,
    store: Store,
    server: PostgreSqlServer,
    url: PostgresUrl,
}

impl CopyFixture {
    async fn new() -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), PostgreSqlServer::start().await.unwrap());
        let admin = InitialTenant { password_hash: "$argon2id$admin".into(), ..tenant() };
        let (store, initial_ids) = Store::initialize(&origin(), &folder.path().join("data"), admin).await.unwrap();
        all_tables::fill(&store, &initial_ids).await;
        let url = server.url().parse().unwrap();
        Self { folder, store, server, url }
    }

    async fn copy(&self) -> Result<Vec<CopiedTable>, StoreError> {
        self.store.copy_metadata_to_postgres(&origin(), &self.url, |_, _, _| {}).await
    }

    /// Opens the copy.
    async fn open(&self) -> Result<Store, StoreError> {
        Store::open(StoreLocation { data_dir: self.folder.path().join("data"), metadata_url: Some(self.url.clone()) })
            .await
    }

    async fn sql(&self, statement: &'static str) {
        let mut connection = PgConnection::connect(&self.server.url()).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }

    async fn column(&self, query: &'static str) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.server.url()).await.unwrap();
        sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap()
    }
}

#[tokio::test]
async fn copy_contains_all_rows_and_is_usable() {
    let metadata_copy = CopyFixture::new().await;
    let before = metadata_copy.store.audit().verify_audit_log(&[]).await.unwrap();
    let preview = metadata_copy.store.preview_metadata_copy(&metadata_copy.url).await.unwrap();
    assert!(metadata_copy.column("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await.is_empty());
    let mut progress = Vec::new();
    let report = |table, rows, total| progress.push((table, rows, total));
    let copied = metadata_copy.store.copy_metadata_to_postgres(&origin(), &metadata_copy.url, report).await.unwrap();
    let counts = |tables: &[CopiedTable]| tables.iter().map(|table| (table.name, table.rows)).collect::<Vec<_>>();
    assert_eq!(counts(&preview), counts(&copied));
    assert!(copied.iter().all(|table| table.rows > 0 && table.digest.len() == 64), "a row of every kind: {copied:?}");
    assert_eq!(progress.len(), copied.len());
    assert!(progress.iter().all(|(_, rows, total)| rows == total));

    let copy = metadata_copy.open().await.unwrap();
    all_tables::verify(&copy).await;
    // The audit event of the copy follows all other rows in the same chain.
    let after = copy.audit().verify_audit_log(&[]).await.unwrap();
    assert!(after.is_intact() && after.rows == before.rows + 1, "{after:?}");
    let links = copy.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap();
    assert_eq!(links[links.len() - 2].link, before.newest);
    assert_eq!(links[links.len() - 1].event.operation, "CopyMetadata");
    // Identity columns continue after the highest value, and triggers are enabled again.
    all_tables::use_after_restore(&copy).await;
    let disabled = "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'";
    assert_eq!(metadata_copy.column(disabled).await, Vec::<String>::new());
    all_tables::verify(&metadata_copy.store).await;
}

#[tokio::test]
async fn copy_to_a_database_with_rows_is_rejected() {
    let metadata_copy = CopyFixture::new().await;
    metadata_copy.copy().await.unwrap();
    let rows = "SELECT COUNT(*)::text FROM audit";
    let before = metadata_copy.column(rows).await;
    for refused in [
        metadata_copy.copy().await.map(drop),
        metadata_copy.store.preview_metadata_copy(&metadata_copy.url).await.map(drop),
    ] {
        assert!(matches!(&refused, Err(StoreError::NotEmpty { table, .. }) if table == "settings"), "{refused:?}");
    }
    assert_eq!(metadata_copy.column(rows).await, before);
}

#[tokio::test]
async fn served_directory_is_not_copied() {
    let metadata_copy = CopyFixture::new().await;
    let lock = metadata_copy.store.acquire_data_dir_lock().unwrap();
    assert!(matches!(metadata_copy.copy().await, Err(StoreError::AlreadyServing { .. })));
    drop(lock);
    metadata_copy.copy().await.unwrap();
}

#[tokio::test]
async fn failed_copy_is_rolled_back_and_can_be_repeated() {
    let metadata_copy = CopyFixture::new().await;
    let other = metadata_copy.open().await.map(drop);
    assert!(matches!(other, Err(StoreError::NotInitialized { .. })), "{other:?}");
    // The last table rejects all rows.
    metadata_copy.sql("ALTER TABLE audit_ends ADD CONSTRAINT none CHECK (false)").await;
    assert!(matches!(metadata_copy.copy().await, Err(StoreError::Database { .. })));
    assert_eq!(metadata_copy.column("SELECT COUNT(*)::text FROM users").await, ["0"]);
    metadata_copy.sql("ALTER TABLE audit_ends DROP CONSTRAINT none").await;
    // The stored rows differ from the sent ones.
    metadata_copy.sql("CREATE RULE other AS ON INSERT TO members DO INSTEAD NOTHING").await;
    let differs = metadata_copy.copy().await;
    assert!(matches!(differs, Err(StoreError::CopyDiffers("members"))), "{differs:?}");
    assert_eq!(metadata_copy.column("SELECT COUNT(*)::text FROM users").await, ["0"]);
    metadata_copy.sql("DROP RULE other ON members").await;
    metadata_copy.copy().await.unwrap();
    all_tables::verify(&metadata_copy.open().await.unwrap()).await;
}

#[tokio::test]
async fn copy_preserves_order_and_replaces_nul_characters() {
    let metadata_copy = CopyFixture::new().await;
    let project = metadata_copy.store.tenants().list_all_projects().await.unwrap().remove(0);
    let mut ids = Vec::new();
    for number in 0..1203 {
        let task = NewSessionCollectionTask {
            request_id: clew_model::RequestId::generate(),
            project_id: project.id.clone(),
            instance_id: clew_model::InstanceId::generate(),
            node_id: clew_model::NodeId::generate(),
            selection: SessionSelection::default(),
            masked: number % 2 == 0,
        };
        ids.push(task.request_id.to_string());
        metadata_copy.store.tasks().enqueue_task(&task, 9).await.unwrap();
    }
    let domain = project.domain_id;
    metadata_copy.store.identities().create_group(&origin(), &domain, "a\0b", "").await.unwrap();
    metadata_copy.copy().await.unwrap();
    let order = metadata_copy.column("SELECT request_id FROM tasks ORDER BY rowid OFFSET 4").await;
    assert_eq!(order, ids);
    let names: Vec<_> = metadata_copy.open().await.unwrap().identities().list_groups(&domain).await.unwrap();
    assert!(names.iter().any(|group| group.name == "a\u{2400}b"), "{names:?}");
}
