//! Temporary store failures: no collection is lost or fails because of them, and no referenced file is removed.

use std::time::Duration;

use clew_model::CollectionTaskStatus;
use clew_worker::WorkerSettings;

use crate::harness::{Event, Harness, wait_for, wait_until};
use crate::log_capture::LogCapture;
use crate::scripted_reader::{Script, ScriptedReader};

/// Makes the database reject the end of a task, as on a full disk.
const REJECT_END: &str = "CREATE TRIGGER refuse BEFORE UPDATE ON tasks WHEN NEW.status = 'finished' \
                      BEGIN SELECT RAISE(ABORT, 'disk full'); END";
/// Records the end although the worker received an error.
const RECORD_END: &str = "BEGIN IMMEDIATE; DROP TRIGGER refuse; \
                      UPDATE tasks SET status = 'finished', result_name = request_id || '.1.csv', result_rows = 1, \
                          result_bytes = 3, result_sha256 = 'unused', ended_at = 1, lease_until = NULL; COMMIT";
/// Makes the database accept the end of a task again.
const ACCEPT_END: &str = "DROP TRIGGER refuse";

#[tokio::test]
async fn node_lookup_is_retried_during_a_store_failure() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    let id = harness.submit("one").await;
    let log = LogCapture::default();
    let _log_guard = tracing::subscriber::set_default(log.clone());
    harness.sql("ALTER TABLE nodes RENAME TO away").await;
    let worker = harness.start_worker();
    wait_until("a retry", || log.contains("could not query the metadata database; retrying")).await;
    harness.sql("ALTER TABLE away RENAME TO nodes").await;
    assert_eq!(harness.body(&id).await, "x\r\n");
    worker.stop().await;
    assert_eq!((harness.task(&id).await.attempts, reader.stats("one").started), (1, 1));
}

#[tokio::test]
async fn collection_fails_after_a_lease_of_failed_node_lookups() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let settings = WorkerSettings { lease: Duration::from_millis(500), ..WorkerSettings::default() };
    let harness = Harness::new(&["one"], settings, reader).await;
    let id = harness.submit("one").await;
    harness.sql("ALTER TABLE nodes RENAME TO away").await;
    let worker = harness.start_worker();
    let ended = async || Some(harness.task(&id).await).filter(|task| task.status == CollectionTaskStatus::Error);
    let failure = wait_for("an end", ended).await.failure.unwrap();
    assert!(failure.detail.starts_with("could not look up node "), "{failure}");
    worker.stop().await;
}

#[tokio::test]
async fn recording_of_the_end_is_retried_until_it_succeeds() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    harness.sql(REJECT_END).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("a result", || harness.files().iter().any(|name| name.ends_with(".1.csv"))).await;
    assert_eq!(harness.task(&id).await.status, CollectionTaskStatus::Running);
    harness.sql(ACCEPT_END).await;
    assert_eq!(harness.body(&id).await, "x\r\n");
    worker.stop().await;
    assert_eq!((harness.task(&id).await.attempts, reader.stats("one").started), (1, 1));
    assert_eq!(harness.events(), [Event::Collected(1)]);
}

#[tokio::test]
async fn collection_is_claimed_again_if_its_end_cannot_be_recorded() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let settings =
        WorkerSettings { lease: Duration::from_millis(500), max_attempts: 1000, ..WorkerSettings::default() };
    let harness = Harness::new(&["one"], settings, reader).await;
    harness.sql(REJECT_END).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_for("a second attempt", async || (harness.task(&id).await.attempts > 1).then_some(())).await;
    harness.sql(ACCEPT_END).await;
    assert_eq!(harness.body(&id).await, "x\r\n");
    worker.stop().await;
    assert_eq!(harness.events(), [Event::Collected(1)]);
}

#[tokio::test]
async fn result_remains_if_the_end_was_recorded_despite_an_error() {
    let log = LogCapture::default();
    let _subscriber = tracing::subscriber::set_default(log.clone());
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader).await;
    harness.sql(REJECT_END).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("a refusal", || log.contains("could not record the outcome yet; retrying")).await;
    harness.sql(RECORD_END).await;
    // Shutdown waits until the worker detects that the end is recorded.
    worker.stop().await;
    let task = harness.task(&id).await;
    assert_eq!(harness.files(), [task.result.unwrap().name]);
    assert!(harness.events().is_empty());
}
