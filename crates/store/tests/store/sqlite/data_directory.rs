//! Initializes, opens and locks data directories.

use std::os::unix::fs::PermissionsExt;

use crate::database::Database;
use crate::fixture::{Fixture, all_bytes, new_instance, origin, tenant};
use clew_store::{Store, StoreError};

#[tokio::test]
async fn second_initialization_is_rejected_without_changes() {
    let fixture = Fixture::new(Database::Sqlite).await;
    let before = all_bytes(&fixture.dir());
    let again = Store::initialize(&origin(), &fixture.dir(), tenant()).await;
    assert!(matches!(again, Err(StoreError::AlreadyInitialized { .. })), "{again:?}");
    assert_eq!(all_bytes(&fixture.dir()), before);
}

#[tokio::test]
async fn interrupted_initialization_starts_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("clew.db.new"), "half a database").unwrap();
    std::fs::write(dir.join("clew.db.new-journal"), "half a journal").unwrap();
    std::fs::write(dir.join("master.key.new"), "ab").unwrap();
    std::fs::write(dir.join("master.key"), "ab".repeat(32)).unwrap();
    std::fs::set_permissions(dir.join("master.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let (store, initial_ids) = Store::initialize(&origin(), &dir, tenant()).await.unwrap();
    assert_eq!(store.tenants().list_projects(&initial_ids.domain_id).await.unwrap().len(), 1);
    assert!(!dir.join("clew.db.new").exists() && !dir.join("master.key.new").exists());
    assert_eq!(
        std::fs::read_to_string(dir.join("master.key")).unwrap(),
        "ab".repeat(32),
        "an existing key is not replaced"
    );
}

#[tokio::test]
async fn directories_and_key_are_accessible_to_the_owner_only() {
    let fixture = Fixture::new(Database::Sqlite).await;
    fixture.store.check_health().await.unwrap();
    let _lock = fixture.store.acquire_data_dir_lock().unwrap();
    for path in ["", "results", "master.key", "clew.db", "clew.db-wal", "clew.db-shm", "serve.lock"] {
        let found = std::fs::metadata(fixture.dir().join(path)).unwrap().permissions().mode() & 0o077;
        assert_eq!(found, 0, "{path} is open to others");
    }
}

#[tokio::test]
async fn empty_directory_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path()).await, Err(StoreError::NotInitialized { .. })));
    assert_eq!(all_bytes(folder.path()), []);
}

#[tokio::test]
async fn one_process_serves_while_others_open() {
    let fixture = Fixture::new(Database::Sqlite).await;
    let lock = fixture.store.acquire_data_dir_lock().unwrap();
    let other = Store::open(&fixture.dir()).await.unwrap();
    assert!(matches!(other.acquire_data_dir_lock(), Err(StoreError::AlreadyServing { .. })));
    let added = other
        .instances()
        .add_instance(&origin(), new_instance(&fixture.initial_ids.project_id, "a", &["mysql://u:p@h/"]))
        .await
        .unwrap();
    assert_eq!(fixture.store.instances().list_all_instances().await.unwrap()[0].id, added.id);
    drop(lock);
    assert!(other.acquire_data_dir_lock().is_ok());
}

#[tokio::test]
async fn wide_permissions_are_restricted_on_open() {
    let fixture = Fixture::new(Database::Sqlite).await;
    let dir = fixture.dir();
    let mode = |path: &str| std::fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o7777;
    let widen = |path: &str, mode| {
        std::fs::set_permissions(dir.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::fs::write(dir.join("results/old"), "rows").unwrap();
    std::fs::write(dir.join("master.key.before-20260101"), "key").unwrap();
    std::fs::create_dir(dir.join("spill")).unwrap();
    let folders = [("", 0o755, 0o700), ("results", 0o777, 0o700), ("spill", 0o755, 0o700)];
    let files =
        [("clew.db", 0o644, 0o600), ("clew.db-wal", 0o664, 0o600), ("master.key.before-20260101", 0o640, 0o600)];
    for (path, wide, _) in folders.iter().chain(&files) {
        widen(path, *wide);
    }
    widen("results/old", 0o644);
    let opened = Store::open(&dir).await.unwrap();
    for (path, _, tight) in folders.iter().chain(&files) {
        assert_eq!(mode(path), *tight, "{path:?}");
    }
    let _lock = opened.acquire_data_dir_lock().unwrap();
    assert_eq!(mode("results/old"), 0o600);
}

#[tokio::test]
async fn directory_with_foreign_files_is_not_initialized() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("photo.jpg"), "x").unwrap();
    for (mode, reason) in [(0o755, "photo.jpg"), (0o1777, "accounts share")] {
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = Store::initialize(&origin(), &dir, tenant()).await.unwrap_err();
        assert!(matches!(&refused, StoreError::OpenToOthers { mode: found, .. } if *found == mode), "{refused}");
        assert!(refused.to_string().contains(reason) && refused.to_string().contains("chmod 700"), "{refused}");
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, mode);
    }
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    Store::initialize(&origin(), &dir, tenant()).await.unwrap();
}

/// As root, the test changes the owner of the directory. Other accounts use a directory that root owns.
#[tokio::test]
async fn directory_of_another_account_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let dir = match std::os::unix::fs::chown(&dir, Some(65534), None) {
        Ok(()) => dir,
        Err(_) => "/".into(),
    };
    let refused = Store::initialize(&origin(), &dir, tenant()).await.unwrap_err();
    assert!(refused.to_string().contains("belongs to another account"), "{refused}");
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o755, "the permissions are unchanged");
}
