//! Making, opening and locking a data directory.

use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Fixture, all_bytes, by, new_instance, tenant};
use clew_store::{Store, StoreError};

#[tokio::test]
async fn a_second_initialisation_is_refused_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = all_bytes(&fixture.dir());
    let again = Store::initialise(&by(), &fixture.dir(), tenant()).await;
    assert!(matches!(again, Err(StoreError::AlreadyInitialised { .. })), "{again:?}");
    assert_eq!(all_bytes(&fixture.dir()), before);
}

#[tokio::test]
async fn what_a_crash_left_of_an_initialisation_is_started_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("clew.db.new"), "half a database").unwrap();
    std::fs::write(dir.join("clew.db.new-journal"), "half a journal").unwrap();
    std::fs::write(dir.join("master.key.new"), "ab").unwrap();
    std::fs::write(dir.join("master.key"), "ab".repeat(32)).unwrap();
    std::fs::set_permissions(dir.join("master.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let (store, founded) = Store::initialise(&by(), &dir, tenant()).await.unwrap();
    assert_eq!(store.projects_of(&founded.domain_id).await.unwrap().len(), 1);
    assert!(!dir.join("clew.db.new").exists() && !dir.join("master.key.new").exists());
    assert_eq!(std::fs::read_to_string(dir.join("master.key")).unwrap(), "ab".repeat(32), "a key is never replaced");
}

#[tokio::test]
async fn folders_and_key_are_for_their_owner_alone() {
    let fixture = Fixture::new().await;
    fixture.store.ping().await.unwrap();
    let _lock = fixture.store.lock_for_serving().unwrap();
    for path in ["", "results", "master.key", "clew.db", "clew.db-wal", "clew.db-shm", "serve.lock"] {
        let found = std::fs::metadata(fixture.dir().join(path)).unwrap().permissions().mode() & 0o077;
        assert_eq!(found, 0, "{path} is open to others");
    }
}

#[tokio::test]
async fn an_empty_folder_is_no_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path()).await, Err(StoreError::NotInitialised { .. })));
    assert_eq!(all_bytes(folder.path()), []);
}

#[tokio::test]
async fn only_one_process_serves_but_others_may_open() {
    let fixture = Fixture::new().await;
    let lock = fixture.store.lock_for_serving().unwrap();
    let other = Store::open(&fixture.dir()).await.unwrap();
    assert!(matches!(other.lock_for_serving(), Err(StoreError::AlreadyServing { .. })));
    let added =
        other.add_instance(&by(), new_instance(&fixture.founded.project_id, "a", &["mysql://u:p@h/"])).await.unwrap();
    assert_eq!(fixture.store.all_instances().await.unwrap()[0].id, added.id);
    drop(lock);
    assert!(other.lock_for_serving().is_ok());
}
