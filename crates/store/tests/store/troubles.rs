//! Disks that are full, folders that cannot be written to, databases that are broken: each says what to do.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::child;
use crate::fixture::{Fixture, all_bytes, by, tenant};
use clew_model::{InstanceId, NodeId, RequestId, Selection};
use clew_store::{NewTask, Store, StoreError};

/// A launcher under which no file grows beyond 1 MiB: a write past that fails, as one on a full disk does.
const LITTLE_SPACE: &[&str] = &["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"];

/// A launcher under which the modes of files count, even for root.
fn no_privilege() -> &'static [&'static str] {
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        &["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    } else {
        &[]
    }
}

/// More than [`LITTLE_SPACE`] leaves room for.
const TOO_MUCH: usize = 2 << 20;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_result_that_finds_no_room_fails_and_leaves_nothing() {
    let Some(folder) = child::folder() else {
        let folder = tempfile::tempdir().unwrap();
        let test = "troubles::a_result_that_finds_no_room_fails_and_leaves_nothing";
        return child::pass(child::command(test, folder.path(), LITTLE_SPACE));
    };
    let (store, _) = Store::initialise(&by(), &folder.join("data"), tenant()).await.unwrap();
    let results = folder.join("data/results");
    let mut writer = store.results().create(&RequestId::generate(), 1).unwrap();
    let error = writer.write_all(&vec![b'x'; TOO_MUCH]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 1, "half a result waits for its end");
    drop(writer);
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 0);
    let mut small = store.results().create(&RequestId::generate(), 1).unwrap();
    small.write_all(b"x").unwrap();
    small.publish().unwrap();
}

#[tokio::test]
async fn a_database_that_finds_no_room_says_so_and_keeps_what_it_had() {
    let Some(folder) = child::folder() else {
        let folder = tempfile::tempdir().unwrap();
        let test = "troubles::a_database_that_finds_no_room_says_so_and_keeps_what_it_had";
        return child::pass(child::command(test, folder.path(), LITTLE_SPACE));
    };
    let (store, founded) = Store::initialise(&by(), &folder.join("data"), tenant()).await.unwrap();
    let mut kept = Vec::new();
    let error = loop {
        let task = NewTask {
            request_id: RequestId::generate(),
            project_id: founded.project_id.clone(),
            instance_id: InstanceId::generate(),
            node_id: NodeId::generate(),
            selection: Selection { sql_key: Some("x".repeat(100_000)), ..Selection::default() },
            masked: false,
        };
        match store.insert_task(&task, 1).await {
            Ok(()) => kept.push(task.request_id),
            Err(error) => break error.to_string(),
        }
        assert!(kept.len() < 1000, "it fits");
    };
    assert!(error.contains("could not queue a collection") && error.contains("disk is full"), "{error}");
    assert!(!kept.is_empty());
    let again = Store::open(&folder.join("data")).await.unwrap();
    for id in kept {
        assert!(again.task(&id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_result_whose_folder_is_gone_names_the_folder() {
    let fixture = Fixture::new().await;
    let mut writer = fixture.store.results().create(&RequestId::generate(), 7).unwrap();
    writer.write_all(b"x").unwrap();
    std::fs::remove_dir_all(fixture.dir().join("results")).unwrap();
    for error in [writer.publish().unwrap_err(), fixture.store.results().create(&RequestId::generate(), 7).unwrap_err()]
    {
        assert!(matches!(error, StoreError::ResultWrite { .. }), "{error}");
        assert!(error.to_string().contains("data/results/realtime_session-"), "{error}");
    }
}

#[tokio::test]
async fn what_may_not_be_written_or_read_is_named_with_a_remedy() {
    let Some(folder) = child::folder() else {
        let fixture = Fixture::new().await;
        let test = "troubles::what_may_not_be_written_or_read_is_named_with_a_remedy";
        return child::pass(child::command(test, fixture.folder(), no_privilege()));
    };
    let dir = folder.join("data");
    set_mode(&folder, 0o500);
    let error = Store::initialise(&by(), &folder.join("new"), tenant()).await.unwrap_err().to_string();
    set_mode(&folder, 0o700);
    assert!(error.contains("new: Permission denied") && error.contains("run Clew as the user"), "{error}");

    let store = Store::open(&dir).await.unwrap();
    set_mode(&dir.join("results"), 0o500);
    let error = store.results().create(&RequestId::generate(), 1).unwrap_err();
    set_mode(&dir.join("results"), 0o700);
    assert!(matches!(error, StoreError::ResultWrite { .. }), "{error}");
    assert!(error.to_string().contains("run Clew as the user"), "{error}");
    // As long as this process has it open, SQLite opens it once more without asking the system.
    store.close().await;

    set_mode(&dir.join("clew.db"), 0o000);
    let error = Store::open(&dir).await.unwrap_err().to_string();
    set_mode(&dir.join("clew.db"), 0o600);
    assert!(error.contains("may read and write the data directory"), "{error}");

    set_mode(&dir, 0o000);
    let error = Store::open(&dir).await.unwrap_err();
    set_mode(&dir, 0o700);
    assert!(matches!(error, StoreError::File { .. }), "it may well be one: {error}");
    assert!(Store::open(&dir).await.is_ok());
}

#[tokio::test]
async fn a_broken_database_is_an_error_and_stays_as_it_is() {
    let fixture = Fixture::new().await;
    let broken = "this is not a database, however long one looks at it";
    for (text, says) in [(broken, "restore clew.db from a backup"), ("", "clew.db is empty; restore it from a backup")]
    {
        let other = tempfile::tempdir().unwrap();
        std::fs::copy(fixture.dir().join("master.key"), other.path().join("master.key")).unwrap();
        std::fs::write(other.path().join("clew.db"), text).unwrap();
        let error = Store::open(other.path()).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        if !text.is_empty() {
            assert_eq!(std::fs::read_to_string(other.path().join("clew.db")).unwrap(), text);
        }
    }
}

#[tokio::test]
async fn a_database_whose_pages_are_spoilt_says_so() {
    let fixture = Fixture::new().await;
    let database = fixture.dir().join("clew.db");
    fixture.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&database, bytes).unwrap();
    let error = Store::open(&fixture.dir()).await.unwrap_err().to_string();
    assert!(error.contains("restore clew.db from a backup"), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let fixture = Fixture::new().await;
    fixture.sql("INSERT INTO _sqlx_migrations VALUES (9999, 'of the future', CURRENT_TIMESTAMP, TRUE, x'00', 0)").await;
    let before = all_bytes(&fixture.dir());
    let error = Store::open(&fixture.dir()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerDatabase { version: 9999 }), "{error}");
    let after = all_bytes(&fixture.dir());
    let database = |files: &[(std::path::PathBuf, Vec<u8>)]| {
        files.iter().find(|(path, _)| path.ends_with("clew.db")).unwrap().1.clone()
    };
    assert_eq!(database(&before), database(&after));
}
