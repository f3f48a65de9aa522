//! Errors for full disks, missing permissions and corrupt databases contain a hint.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::database::Database;
use crate::fixture::{Fixture, all_bytes, origin, tenant};
use crate::subprocess;
use clew_model::{InstanceId, NodeId, RequestId, SessionSelection};
use clew_store::{NewSessionCollectionTask, Store, StoreError};

/// Launcher that limits the size of files to 1 MiB. Larger writes fail as if the disk were full.
const FILE_SIZE_LIMIT: &[&str] = &["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"];

/// Launcher that enforces file permissions even for root.
fn without_capabilities() -> &'static [&'static str] {
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        &["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    } else {
        &[]
    }
}

/// Number of bytes that exceeds [`FILE_SIZE_LIMIT`].
const OVERSIZED_LEN: usize = 2 << 20;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn result_on_a_full_disk_fails_without_leftover_files() {
    let Some(folder) = subprocess::folder() else {
        let folder = tempfile::tempdir().unwrap();
        let test = "sqlite::error_hints::result_on_a_full_disk_fails_without_leftover_files";
        return subprocess::run_to_success(subprocess::command(test, folder.path(), FILE_SIZE_LIMIT));
    };
    let (store, _) = Store::initialize(&origin(), &folder.join("data"), tenant()).await.unwrap();
    let results = folder.join("data/results");
    let mut writer = store.result_store().create_writer(&RequestId::generate(), 1).unwrap();
    let error = writer.write_all(&vec![b'x'; OVERSIZED_LEN]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 1, "the temporary file exists");
    drop(writer);
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 0);
    let mut small = store.result_store().create_writer(&RequestId::generate(), 1).unwrap();
    small.write_all(b"x").unwrap();
    small.publish().unwrap();
}

#[tokio::test]
async fn full_disk_is_reported_and_the_database_keeps_its_rows() {
    let Some(folder) = subprocess::folder() else {
        let folder = tempfile::tempdir().unwrap();
        let test = "sqlite::error_hints::full_disk_is_reported_and_the_database_keeps_its_rows";
        return subprocess::run_to_success(subprocess::command(test, folder.path(), FILE_SIZE_LIMIT));
    };
    let (store, initial_ids) = Store::initialize(&origin(), &folder.join("data"), tenant()).await.unwrap();
    let mut stored = Vec::new();
    let error = loop {
        let task = NewSessionCollectionTask {
            request_id: RequestId::generate(),
            project_id: initial_ids.project_id.clone(),
            instance_id: InstanceId::generate(),
            node_id: NodeId::generate(),
            selection: SessionSelection { sql_key: Some("x".repeat(100_000)), ..SessionSelection::default() },
            masked: false,
        };
        match store.tasks().enqueue_task(&task, 1).await {
            Ok(()) => stored.push(task.request_id),
            Err(error) => break error.to_string(),
        }
        assert!(stored.len() < 1000, "the disk is not full");
    };
    assert!(error.contains("could not queue a collection") && error.contains("disk is full"), "{error}");
    assert!(!stored.is_empty());
    let again = Store::open(&folder.join("data")).await.unwrap();
    for id in stored {
        assert!(again.tasks().find_task(&id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn missing_result_directory_is_named_in_the_error() {
    let fixture = Fixture::new(Database::Sqlite).await;
    let mut writer = fixture.store.result_store().create_writer(&RequestId::generate(), 7).unwrap();
    writer.write_all(b"x").unwrap();
    std::fs::remove_dir_all(fixture.dir().join("results")).unwrap();
    for error in [
        writer.publish().unwrap_err(),
        fixture.store.result_store().create_writer(&RequestId::generate(), 7).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ResultWrite { .. }), "{error}");
        assert!(error.to_string().contains("data/results/realtime_session-"), "{error}");
    }
}

#[tokio::test]
async fn permission_errors_have_remedies() {
    let Some(folder) = subprocess::folder() else {
        let fixture = Fixture::new(Database::Sqlite).await;
        let test = "sqlite::error_hints::permission_errors_have_remedies";
        return subprocess::run_to_success(subprocess::command(test, fixture.folder(), without_capabilities()));
    };
    let dir = folder.join("data");
    set_mode(&folder, 0o500);
    let error = Store::initialize(&origin(), &folder.join("new"), tenant()).await.unwrap_err().to_string();
    set_mode(&folder, 0o700);
    assert!(error.contains("new: Permission denied") && error.contains("run Clew as the user"), "{error}");

    let store = Store::open(&dir).await.unwrap();
    set_mode(&dir.join("results"), 0o500);
    let error = store.result_store().create_writer(&RequestId::generate(), 1).unwrap_err();
    set_mode(&dir.join("results"), 0o700);
    assert!(matches!(error, StoreError::ResultWrite { .. }), "{error}");
    assert!(error.to_string().contains("run Clew as the user"), "{error}");
    // While this process has the file open, SQLite reopens the file without a permission check.
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
async fn corrupt_database_is_reported_and_not_changed() {
    let fixture = Fixture::new(Database::Sqlite).await;
    let broken = "this is not a database, however long one looks at it";
    for (text, message) in
        [(broken, "restore clew.db from a backup"), ("", "clew.db is empty; restore it from a backup")]
    {
        let other = tempfile::tempdir().unwrap();
        std::fs::copy(fixture.dir().join("master.key"), other.path().join("master.key")).unwrap();
        std::fs::write(other.path().join("clew.db"), text).unwrap();
        let error = Store::open(other.path()).await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        if !text.is_empty() {
            assert_eq!(std::fs::read_to_string(other.path().join("clew.db")).unwrap(), text);
        }
    }
}

#[tokio::test]
async fn corrupt_pages_are_reported() {
    let fixture = Fixture::new(Database::Sqlite).await;
    let database = fixture.dir().join("clew.db");
    fixture.sql("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let mut bytes = std::fs::read(&database).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&database, bytes).unwrap();
    let error = Store::open(&fixture.dir()).await.unwrap_err().to_string();
    assert!(error.contains("restore clew.db from a backup"), "{error}");
}

#[tokio::test]
async fn database_of_a_newer_version_is_not_changed() {
    let fixture = Fixture::new(Database::Sqlite).await;
    fixture.sql("INSERT INTO _sqlx_migrations VALUES (9999, 'of the future', CURRENT_TIMESTAMP, TRUE, x'00', 0)").await;
    let before = all_bytes(&fixture.dir());
    let error = Store::open(&fixture.dir()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerDatabase(9999)), "{error}");
    let after = all_bytes(&fixture.dir());
    let database = |files: &[(std::path::PathBuf, Vec<u8>)]| {
        files.iter().find(|(path, _)| path.ends_with("clew.db")).unwrap().1.clone()
    };
    assert_eq!(database(&before), database(&after));
}
