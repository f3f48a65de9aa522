//! The metadata of a folder in a server's database: all of it, or nothing.

use clew_model::Selection;
use clew_store::{AuditFilter, CopiedTable, FirstTenant, Location, NewTask, PostgresUrl, Store, StoreError};
use clew_testkit::PostgreSql;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::every_kind;
use crate::fixture::{by, tenant};

/// A folder with a row of every kind, and an empty server.
struct Copying {
    folder: TempDir,
    store: Store,
    server: PostgreSql,
    url: PostgresUrl,
}

impl Copying {
    async fn begin() -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), PostgreSql::start().await.unwrap());
        let admin = FirstTenant { password_hash: "$argon2id$admin".into(), ..tenant() };
        let (store, founded) = Store::initialise(&by(), &folder.path().join("data"), admin).await.unwrap();
        every_kind::fill(&store, &founded).await;
        let url = server.url().parse().unwrap();
        Self { folder, store, server, url }
    }

    async fn copy(&self) -> Result<Vec<CopiedTable>, StoreError> {
        self.store.copy_to(&by(), &self.url, |_, _, _| {}).await
    }

    /// The copy, as the next server opens it.
    async fn open(&self) -> Result<Store, StoreError> {
        Store::open(Location { data_dir: self.folder.path().join("data"), metadata: Some(self.url.clone()) }).await
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
async fn everything_is_there_means_the_same_and_goes_on() {
    let copying = Copying::begin().await;
    let before = copying.store.verify_audit(&[]).await.unwrap();
    let preview = copying.store.preview_copy(&copying.url).await.unwrap();
    assert!(copying.column("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await.is_empty());
    let mut progress = Vec::new();
    let told = |table, rows, total| progress.push((table, rows, total));
    let copied = copying.store.copy_to(&by(), &copying.url, told).await.unwrap();
    let counts = |tables: &[CopiedTable]| tables.iter().map(|table| (table.name, table.rows)).collect::<Vec<_>>();
    assert_eq!(counts(&preview), counts(&copied));
    assert!(copied.iter().all(|table| table.rows > 0 && table.digest.len() == 64), "a row of every kind: {copied:?}");
    assert_eq!(progress.len(), copied.len());
    assert!(progress.iter().all(|(_, rows, total)| rows == total));

    let copy = copying.open().await.unwrap();
    every_kind::verify(&copy).await;
    // The copy's own row comes after all others, in the same chain.
    let after = copy.verify_audit(&[]).await.unwrap();
    assert!(after.is_sound() && after.rows == before.rows + 1, "{after:?}");
    let links = copy.audit(&AuditFilter::default(), 0, 1000).await.unwrap();
    assert_eq!(links[links.len() - 2].link, before.newest);
    assert_eq!(links[links.len() - 1].event.operation, "CopyMetadata");
    // What numbers rows goes on after the highest, and what is told and refused is so again.
    every_kind::goes_on(&copy).await;
    let disabled = "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'";
    assert_eq!(copying.column(disabled).await, Vec::<String>::new());
    every_kind::verify(&copying.store).await;
}

#[tokio::test]
async fn a_database_that_is_not_empty_is_refused_and_left_alone() {
    let copying = Copying::begin().await;
    copying.copy().await.unwrap();
    let rows = "SELECT COUNT(*)::text FROM audit";
    let before = copying.column(rows).await;
    for refused in [copying.copy().await.map(drop), copying.store.preview_copy(&copying.url).await.map(drop)] {
        assert!(matches!(&refused, Err(StoreError::NotEmpty { table, .. }) if table == "settings"), "{refused:?}");
    }
    assert_eq!(copying.column(rows).await, before);
}

#[tokio::test]
async fn a_folder_that_is_served_or_written_to_is_not_copied() {
    let copying = Copying::begin().await;
    let lock = copying.store.lock_for_serving().unwrap();
    assert!(matches!(copying.copy().await, Err(StoreError::AlreadyServing { .. })));
    drop(lock);
    copying.copy().await.unwrap();
}

#[tokio::test]
async fn what_fails_on_the_way_leaves_nothing_and_can_be_begun_again() {
    let copying = Copying::begin().await;
    let other = copying.open().await.map(drop);
    assert!(matches!(other, Err(StoreError::NotInitialised { .. })), "{other:?}");
    // The last of the tables takes no rows.
    copying.sql("ALTER TABLE audit_ends ADD CONSTRAINT none CHECK (false)").await;
    assert!(matches!(copying.copy().await, Err(StoreError::Database { .. })));
    assert_eq!(copying.column("SELECT COUNT(*)::text FROM users").await, ["0"]);
    copying.sql("ALTER TABLE audit_ends DROP CONSTRAINT none").await;
    // What arrives is not what was sent.
    copying.sql("CREATE RULE other AS ON INSERT TO members DO INSTEAD NOTHING").await;
    let differs = copying.copy().await;
    assert!(matches!(differs, Err(StoreError::CopyDiffers { table: "members" })), "{differs:?}");
    assert_eq!(copying.column("SELECT COUNT(*)::text FROM users").await, ["0"]);
    copying.sql("DROP RULE other ON members").await;
    copying.copy().await.unwrap();
    every_kind::verify(&copying.open().await.unwrap()).await;
}

#[tokio::test]
async fn many_rows_come_in_their_order_and_with_what_the_server_cannot_keep() {
    let copying = Copying::begin().await;
    let project = copying.store.all_projects().await.unwrap().remove(0);
    let mut ids = Vec::new();
    for number in 0..1203 {
        let task = NewTask {
            request_id: clew_model::RequestId::generate(),
            project_id: project.id.clone(),
            instance_id: clew_model::InstanceId::generate(),
            node_id: clew_model::NodeId::generate(),
            selection: Selection::default(),
            masked: number % 2 == 0,
        };
        ids.push(task.request_id.to_string());
        copying.store.insert_task(&task, 9).await.unwrap();
    }
    let domain = project.domain_id;
    copying.store.create_group(&by(), &domain, "a\0b", "").await.unwrap();
    copying.copy().await.unwrap();
    let order = copying.column("SELECT request_id FROM tasks ORDER BY rowid OFFSET 4").await;
    assert_eq!(order, ids);
    let names: Vec<_> = copying.open().await.unwrap().groups_of(&domain).await.unwrap();
    assert!(names.iter().any(|group| group.name == "a\u{2400}b"), "{names:?}");
}
