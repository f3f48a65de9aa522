//! Rotation of the master key, including interrupted rotations.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clew_store::{AuditFilter, InitialTenant, Store, StoreError};
use rstest::rstest;
use secrecy::ExposeSecret;

use crate::backend::{self, Backend, Connection};
use crate::database::Database;
use crate::fixture::{Fixture, SECRET_KEY, claim, origin, tenant};
use crate::{all_tables, subprocess};

/// Creates a store with rows in every table.
async fn create_filled_store(backend: &Backend) -> Store {
    let admin = InitialTenant { password_hash: "$argon2id$admin".into(), ..tenant() };
    let (store, initial_ids) =
        Store::initialize(&origin(), backend::location(backend.folder.path()), admin).await.unwrap();
    all_tables::fill(&store, &initial_ids).await;
    store
}

fn key(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join("data").join(name)).ok()
}

#[rstest]
#[tokio::test]
async fn rotated_secrets_unseal_with_the_new_key_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let backend = Backend::new(database).await;
    let folder = backend.folder.path();
    let store = create_filled_store(&backend).await;
    let before = store.audit().verify_audit_log(&[]).await.unwrap();
    let old = key(folder, "master.key").unwrap();
    let rotated = Store::rotate_master_key(&origin(), backend::location(folder)).await.unwrap();
    assert_eq!((rotated.sealed, rotated.damaged), (4, 0), "two keys and two passwords");
    assert_ne!(key(folder, "master.key").unwrap(), old);
    assert_eq!(key(folder, "master.key.next"), None);

    let after = Store::open(backend::location(folder)).await.unwrap();
    all_tables::verify(&after).await;
    let audit = after.audit().verify_audit_log(&[]).await.unwrap();
    let links = after.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap();
    assert_eq!(
        (audit.rows, &links[links.len() - 2].link),
        (before.rows + 1, &before.newest),
        "earlier links are unchanged"
    );
    assert_eq!(links[links.len() - 1].event.operation, "RotateMasterKey");
    all_tables::use_after_restore(&after).await;

    // After a second rotation, rows under each key are removed.
    Store::rotate_master_key(&origin(), backend::location(folder)).await.unwrap();
    let third = Store::open(backend::location(folder)).await.unwrap();
    assert!(third.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    assert!(third.audit().prune_audit_log(&origin(), i64::MAX).await.unwrap() > before.rows);
    assert!(third.audit().verify_audit_log(&[]).await.unwrap().is_intact());

    std::fs::write(folder.join("data/master.key"), old).unwrap();
    assert!(matches!(Store::open(backend::location(folder)).await, Err(StoreError::WrongMasterKey)));
}

#[rstest]
#[tokio::test]
async fn process_with_the_previous_key_cannot_write(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let running = fixture.open().await.unwrap();
    running.tasks().enqueue_task(&fixture.new_task(&clew_model::NodeId::generate()), 9).await.unwrap();
    Store::rotate_master_key(&origin(), backend::location(fixture.folder())).await.unwrap();
    let rotated = |error: Option<StoreError>| matches!(error, Some(StoreError::MasterKeyRotated));
    assert!(rotated(running.check_health().await.err()));
    assert!(rotated(running.tenants().create_domain(&origin(), "other").await.err()));
    assert!(rotated(running.identities().find_access_key(&tenant().access_key).await.err()));
    assert!(rotated(running.audit().verify_audit_log(&[]).await.err()));
    // With a shared database, claims also check the key: a process with the previous key cannot unseal node passwords.
    assert_eq!(rotated(claim(&running, Duration::from_secs(9), 1).await.err()), database.is_shared());
    let event = clew_model::AuditEvent::for_successful_operation(&origin(), "Test", "test");
    let recorded = running.audit().append_audit_event(&event).await.unwrap_err().to_string();
    assert!(recorded.contains("the master key was rotated"), "{recorded}");

    let after = fixture.open().await.unwrap();
    assert!(after.audit().verify_audit_log(&[]).await.unwrap().is_intact());
    let opened = after.identities().find_access_key(&tenant().access_key).await.unwrap().unwrap();
    assert_eq!(opened.secret.expose_secret(), SECRET_KEY);
}

#[rstest]
#[tokio::test]
async fn changed_row_under_an_earlier_key_is_detected(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let backend = Backend::new(database).await;
    drop(create_filled_store(&backend).await);
    Store::rotate_master_key(&origin(), backend::location(backend.folder.path())).await.unwrap();
    let mut connection = Connection::open(backend.folder.path()).await;
    let change = "DROP TRIGGER audit_stays_as_it_is; UPDATE audit SET target = 'other' WHERE seq = 3";
    connection.execute(&database.translate_sql(change)).await.unwrap();
    let after = Store::open(backend::location(backend.folder.path())).await.unwrap();
    let found = after.audit().verify_audit_log(&[]).await.unwrap();
    assert_eq!(found.problems.iter().map(|problem| problem.position).collect::<Vec<_>>(), [3]);
}

/// After a crash, or on another machine, the database may have the new key before the directory has it.
#[rstest]
#[tokio::test]
async fn next_key_is_promoted_if_only_it_matches_the_database(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let backend = Backend::new(database).await;
    let folder = backend.folder.path();
    drop(create_filled_store(&backend).await);
    let data = folder.join("data");
    let prepared = Store::ensure_next_master_key_exists(backend::location(folder)).unwrap();
    assert_eq!(prepared, data.join("master.key.next"));
    let (old, next) = (key(folder, "master.key").unwrap(), key(folder, "master.key.next").unwrap());
    assert_eq!(
        Store::ensure_next_master_key_exists(backend::location(folder)).unwrap(),
        prepared,
        "the key is created once"
    );
    all_tables::verify(&Store::open(backend::location(folder)).await.unwrap()).await;
    assert_eq!(key(folder, "master.key.next").as_ref(), Some(&next), "the next key is not promoted yet");
    Store::rotate_master_key(&origin(), backend::location(folder)).await.unwrap();
    assert_eq!(key(folder, "master.key").as_ref(), Some(&next));

    std::fs::rename(data.join("master.key"), data.join("master.key.next")).unwrap();
    let previous_keys: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    let previous_keys =
        previous_keys.iter().find(|path| path.to_string_lossy().contains("master.key.before-")).unwrap();
    assert_eq!(std::fs::read_to_string(previous_keys).unwrap(), old);
    std::fs::copy(previous_keys, data.join("master.key")).unwrap();
    all_tables::verify(&Store::open(backend::location(folder)).await.unwrap()).await;
    assert_eq!((key(folder, "master.key"), key(folder, "master.key.next")), (Some(next), None));
}

#[rstest]
#[tokio::test]
async fn killed_rotation_loses_no_data(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    if let Some(folder) = subprocess::folder() {
        loop {
            Store::rotate_master_key(&origin(), backend::location(&folder)).await.unwrap();
        }
    }
    let backend = Backend::new(database).await;
    drop(create_filled_store(&backend).await);
    let test = subprocess::contract_test("rotation::killed_rotation_loses_no_data", database);
    for step in 0..24 {
        let mut command = subprocess::command(&test, backend.folder.path(), &[]);
        let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(60 + step * 9)).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        all_tables::verify(&Store::open(backend::location(backend.folder.path())).await.unwrap()).await;
    }
    let store = Store::open(backend::location(backend.folder.path())).await.unwrap();
    let filter = AuditFilter { operation: Some("RotateMasterKey".into()), ..AuditFilter::default() };
    assert!(
        store.audit().list_audit_rows_after_seq(&filter, 0, 1000).await.unwrap().len() > 3,
        "no rotation completed"
    );
}

#[rstest]
#[tokio::test]
async fn served_directory_is_not_rotated(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let _lock = fixture.store.acquire_data_dir_lock().unwrap();
    let refused = Store::rotate_master_key(&origin(), backend::location(fixture.folder())).await;
    assert!(matches!(refused, Err(StoreError::AlreadyServing { .. })), "{refused:?}");
    assert_eq!(key(fixture.folder(), "master.key.next"), None);
}
