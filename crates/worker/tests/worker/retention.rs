//! Retention: removal of old collections, results, audit rows and orphaned files.

use std::time::Duration;

use clew_worker::WorkerSettings;

use crate::harness::{Harness, wait_for};
use crate::scripted_reader::{Script, ScriptedReader};

#[tokio::test]
async fn expired_collection_is_removed_with_its_result() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let mut harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    harness.wait_until_finished(&id).await;
    worker.stop().await;

    // The worker runs retention before it claims a collection.
    let worker = harness.start_worker();
    let second = harness.submit("one").await;
    harness.wait_until_finished(&second).await;
    worker.stop().await;
    assert_eq!(harness.files().len(), 2);

    tokio::time::sleep(Duration::from_millis(5)).await;
    harness.replace(WorkerSettings { retention: Duration::ZERO, ..WorkerSettings::default() }, reader);
    let worker = harness.start_worker();
    wait_for("removal of the rows", async || {
        harness.store.tasks().find_task(&id).await.unwrap().is_none().then_some(())
    })
    .await;
    wait_for("removal of the files", async || harness.files().is_empty().then_some(())).await;
    worker.stop().await;
    assert!(harness.store.tasks().find_task(&second).await.unwrap().is_none());
}

#[tokio::test]
async fn pruned_audit_remains_verifiable() {
    let settings = WorkerSettings { audit_retention: Duration::ZERO, ..WorkerSettings::default() };
    let harness = Harness::new(&["one"], settings, ScriptedReader::new([])).await;
    let first = async || harness.store.audit().verify_audit_log(&[]).await.unwrap().first;
    assert_eq!(first().await, Some(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let worker = harness.start_worker();
    wait_for("removal of the first rows", async || (first().await > Some(1)).then_some(())).await;
    worker.stop().await;
    let audit = harness.store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(audit.is_intact() && audit.rows > 0, "{audit:?}: the removal is not recorded");
}

#[tokio::test]
async fn old_orphaned_files_are_swept() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    let name = harness.wait_until_finished(&id).await.result.unwrap().name;
    worker.stop().await;
    let path = |name: &str| harness.results_folder().join(name);
    let (old, young) = (name.replace(".1.", ".7."), name.replace(".1.", ".8."));
    for orphan in [&old, &young] {
        std::fs::write(path(orphan), "orphan").unwrap();
    }
    let an_hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    for aged in [&name, &old] {
        std::fs::File::options().write(true).open(path(aged)).unwrap().set_modified(an_hour_ago).unwrap();
    }

    let worker = harness.start_worker();
    wait_for("removal of the old orphan", async || (!path(&old).exists()).then_some(())).await;
    worker.stop().await;
    assert!(path(&young).exists() && path(&name).exists());
}
