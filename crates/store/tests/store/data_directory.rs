//! Making, opening and locking a data directory.

use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Fixture, NODE_PASSWORD, SECRET_KEY, all_bytes, new_instance, tenant};
use clew_store::{Store, StoreError};
use secrecy::ExposeSecret;

#[tokio::test]
async fn a_second_initialisation_is_refused_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = all_bytes(&fixture.dir());
    let again = Store::initialise(&fixture.dir(), tenant()).await;
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
    let (store, founded) = Store::initialise(&dir, tenant()).await.unwrap();
    assert_eq!(store.projects_of(&founded.domain_id).await.unwrap().len(), 1);
    assert!(!dir.join("clew.db.new").exists());
}

#[tokio::test]
async fn folders_and_key_are_for_their_owner_alone() {
    let fixture = Fixture::new().await;
    for (path, mode) in [("", 0o700), ("results", 0o700), ("master.key", 0o600)] {
        let found = std::fs::metadata(fixture.dir().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
}

#[tokio::test]
async fn an_empty_folder_is_no_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path()).await, Err(StoreError::NotInitialised { .. })));
    assert_eq!(all_bytes(folder.path()), []);
}

#[tokio::test]
async fn a_lost_or_foreign_master_key_is_named() {
    let fixture = Fixture::new().await;
    let key = fixture.dir().join("master.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let error = Store::open(&fixture.dir()).await.unwrap_err().to_string();
    assert!(error.contains("restore it from a backup"), "{error}");
    std::fs::write(&key, format!("{}\n", "ab".repeat(32))).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Store::open(&fixture.dir()).await, Err(StoreError::WrongMasterKey)));
    std::fs::write(&key, kept).unwrap();
    assert!(Store::open(&fixture.dir()).await.is_ok());
}

#[tokio::test]
async fn a_broken_database_is_an_error_and_stays_as_it_is() {
    let fixture = Fixture::new().await;
    fixture.store.ping().await.unwrap();
    let other = tempfile::tempdir().unwrap();
    for name in ["master.key", "clew.db"] {
        std::fs::copy(fixture.dir().join(name), other.path().join(name)).unwrap();
    }
    std::fs::write(other.path().join("clew.db"), "this is not a database, however long one looks at it").unwrap();
    let error = Store::open(other.path()).await.unwrap_err().to_string();
    assert!(error.contains("could not open the database"), "{error}");
    assert_eq!(std::fs::read(other.path().join("clew.db")).unwrap()[..7], *b"this is");
}

#[tokio::test]
async fn only_one_process_serves_but_others_may_open() {
    let fixture = Fixture::new().await;
    let lock = fixture.store.lock_for_serving().unwrap();
    let other = Store::open(&fixture.dir()).await.unwrap();
    assert!(matches!(other.lock_for_serving(), Err(StoreError::AlreadyServing { .. })));
    let added = other.add_instance(new_instance(&fixture.founded.project_id, "a", &["mysql://u:p@h/"])).await.unwrap();
    assert_eq!(fixture.store.all_instances().await.unwrap()[0].id, added.id);
    drop(lock);
    assert!(other.lock_for_serving().is_ok());
}

#[tokio::test]
async fn no_secret_stands_in_any_file() {
    let fixture = Fixture::new().await;
    let url = format!("mysql://clew:{NODE_PASSWORD}@10.0.0.5/");
    let added = fixture.store.add_instance(new_instance(&fixture.founded.project_id, "a", &[&url])).await.unwrap();
    let node = fixture.store.node_to_read(&added.nodes[0].id).await.unwrap().unwrap();
    assert_eq!(node.url.password.unwrap().expose_secret(), NODE_PASSWORD);
    assert!(added.nodes[0].url.password.is_none());
    let key = fixture.store.access_key(&tenant().access_key).await.unwrap().unwrap();
    assert_eq!((key.secret.expose_secret(), key.user.name.as_str()), (SECRET_KEY, "admin"));
    let files = all_bytes(&fixture.dir());
    assert!(files.iter().any(|(path, _)| path.ends_with("clew.db-wal")), "the log must be searched too");
    for (path, bytes) in files {
        for secret in [NODE_PASSWORD, SECRET_KEY] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}
