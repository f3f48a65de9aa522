//! Features of PostgreSQL: shared databases, the server clock, TLS and outages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clew_model::{CollectionTaskStatus, NodeId, RequestId, SessionSelection};
use clew_store::{NewSessionCollectionTask, PostgresUrl, Store, StoreError, StoreLocation, TaskClaimRequest};
use clew_testkit::PostgreSqlServer;
use secrecy::ExposeSecret;
use sqlx::Connection;

use crate::backend;
use crate::database::Database;
use crate::fixture::{Fixture, SECRET_KEY, origin, tenant};

/// Creates another machine's data directory with the same database and master key.
fn other_machine(fixture: &Fixture) -> (tempfile::TempDir, StoreLocation) {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation { data_dir: folder.path().join("data"), ..backend::location(fixture.folder()) };
    std::fs::create_dir(&location.data_dir).unwrap();
    let key = location.data_dir.join("master.key");
    std::fs::copy(fixture.dir().join("master.key"), key).unwrap();
    (folder, location)
}

#[tokio::test]
async fn several_directories_share_a_database() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let (_folder, location) = other_machine(&fixture);
    let other = Store::open(location).await.unwrap();
    let _both = (fixture.store.acquire_data_dir_lock().unwrap(), other.acquire_data_dir_lock().unwrap());
    let key = other.identities().find_access_key(&tenant().access_key).await.unwrap().unwrap();
    assert_eq!(key.secret.expose_secret(), SECRET_KEY);
    let before = fixture.store.open_cached_view().await.unwrap().access_control_version();
    other
        .identities()
        .create_user(&origin(), &fixture.initial_ids.domain_id, &crate::contract::users::new_user("ada"))
        .await
        .unwrap();
    fixture.user("grace").await;
    assert_eq!(other.identities().list_users(&fixture.initial_ids.domain_id).await.unwrap().len(), 3);
    assert_eq!(
        fixture.store.open_cached_view().await.unwrap().access_control_version(),
        before,
        "new users do not affect cached values"
    );
    assert!(other.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}

#[tokio::test]
async fn database_is_initialized_once_for_all_directories() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation { data_dir: folder.path().join("data"), ..backend::location(fixture.folder()) };
    let again = Store::initialize(&origin(), location.clone(), tenant()).await.unwrap_err();
    assert!(
        matches!(&again, StoreError::AlreadyInitialized(location) if location.starts_with("postgres://")),
        "{again}"
    );
    assert!(!location.data_dir.join("master.key").exists(), "no unused key is created");
    let opened = Store::open(location).await.unwrap_err().to_string();
    assert!(opened.contains("master.key"), "{opened}");
}

#[tokio::test]
async fn store_uses_the_clock_of_the_database() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let hour = 3_600_000;
    fixture
        .sql(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
                 AS 'SELECT pg_catalog.clock_timestamp() + INTERVAL ''1 hour'''; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$",
        )
        .await;
    let store = fixture.open().await.unwrap();
    let task = NewSessionCollectionTask {
        request_id: RequestId::generate(),
        project_id: fixture.initial_ids.project_id.clone(),
        instance_id: clew_model::InstanceId::generate(),
        node_id: NodeId::generate(),
        selection: SessionSelection::default(),
        masked: false,
    };
    store.tasks().enqueue_task(&task, 9).await.unwrap();
    let ours = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let created_at = store.tasks().find_task(&task.request_id).await.unwrap().unwrap().created_at;
    assert!((created_at - ours - hour).abs() < hour / 2, "{created_at} {ours}");
    let claim = TaskClaimRequest {
        worker: "w".into(),
        lease: Duration::from_secs(9),
        max_per_node: 1,
        excluded_nodes: vec![],
        max_tasks: 1,
    };
    assert_eq!(store.tasks().claim_tasks(claim).await.unwrap().tasks[0].task.status, CollectionTaskStatus::Running);
}

#[tokio::test]
async fn invalid_urls_are_rejected_and_passwords_hidden() {
    for url in ["mysql://h/d", "postgres://h:port/d", "clew.db", "postgres://h/d?sslmode=perhaps"] {
        assert!(matches!(url.parse::<PostgresUrl>(), Err(StoreError::MetadataUrl { .. })), "{url}");
    }
    let url: PostgresUrl = "postgres://clew:hunter2@db.example:6543/clew?sslmode=verify-full".parse().unwrap();
    assert_eq!(
        (url.to_string(), format!("{url:?}").contains("hunter2")),
        ("postgres://db.example:6543/clew".into(), false)
    );
}

#[tokio::test]
async fn unreachable_database_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    // The port is bound but has no listener.
    let unused = tokio::net::TcpSocket::new_v4().unwrap();
    unused.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("postgres://clew@{}/clew", unused.local_addr().unwrap());
    let location = StoreLocation { data_dir: folder.path().join("data"), metadata_url: Some(url.parse().unwrap()) };
    let error = Store::initialize(&origin(), location, tenant()).await.unwrap_err().to_string();
    assert!(
        error.contains("open the database") && error.contains("check whether the database is reachable"),
        "{error}"
    );
}

#[tokio::test]
async fn connections_use_tls_as_configured() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let server = PostgreSqlServer::start_with_tls(&certificate, &key).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("known.pem"), folder.path().join("other.pem"));
    std::fs::write(&file, certificate).unwrap();
    std::fs::write(&other, rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem()).unwrap();
    let at =
        |url: String| StoreLocation { data_dir: folder.path().join("data"), metadata_url: Some(url.parse().unwrap()) };
    let url = |root: &std::path::Path| format!("{}?sslmode=verify-full&sslrootcert={}", server.url(), root.display());
    let refused = Store::initialize(&origin(), at(url(&other)), tenant()).await.unwrap_err().to_string();
    assert!(refused.contains("check sslmode and sslrootcert"), "{refused}");
    let (store, _) = Store::initialize(&origin(), at(url(&file)), tenant()).await.unwrap();
    store.check_health().await.unwrap();
    let mut observer = sqlx::PgConnection::connect(&server.url()).await.unwrap();
    let plain: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.application_name = 'clew' AND NOT s.ssl",
    )
    .fetch_one(&mut observer)
    .await
    .unwrap();
    assert_eq!(plain, 0);

    let plain_server = PostgreSqlServer::start().await.unwrap();
    let refused = Store::open(at(format!("{}?sslmode=require", plain_server.url()))).await.unwrap_err().to_string();
    assert!(refused.contains("check sslmode and sslrootcert"), "{refused}");
}

#[tokio::test]
async fn nul_character_is_replaced_in_text() {
    let fixture = Fixture::new(Database::PostgreSql).await;
    let domain = &fixture.initial_ids.domain_id;
    fixture.store.identities().create_group(&origin(), domain, "a\0b", "").await.unwrap();
    assert_eq!(fixture.store.identities().list_groups(domain).await.unwrap()[0].name, "a\u{2400}b");
}
