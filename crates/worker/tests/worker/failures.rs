//! Failures of a collection: each has a reason, leaves no file, and does not affect other collections.

use std::net::TcpListener;
use std::time::Duration;

use clew_model::{CollectionTaskStatus, Failure, FailureKind, NodeId, RequestId};
use clew_worker::{SessionCollectionQueue, WorkerObserver, WorkerSettings};

use crate::harness::{Event, Harness, test_origin, wait_for};
use crate::scripted_reader::{Script, ScriptedReader};

/// `errno` of "No space left on device".
const ENOSPC: i32 = 28;

async fn wait_for_failure(harness: &Harness, id: &RequestId) -> Failure {
    let task = harness.wait_until_ended(id).await;
    assert_eq!((task.status, task.result), (CollectionTaskStatus::Error, None));
    task.failure.unwrap()
}

/// Runs a collection that must fail, then one that must succeed.
async fn failure_then_success(script: Script) -> (Failure, Vec<Event>) {
    let reader = ScriptedReader::new([("failing", script), ("healthy", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["failing", "healthy"], WorkerSettings::default(), reader).await;
    let worker = harness.start_worker();
    let failing = harness.submit("failing").await;
    let failure = wait_for_failure(&harness, &failing).await;
    let healthy = harness.submit("healthy").await;
    assert_eq!(harness.body(&healthy).await, "x\r\n");
    worker.stop().await;
    assert_eq!(harness.task(&failing).await.attempts, 1);
    assert_eq!(harness.files(), [harness.task(&healthy).await.result.unwrap().name]);
    (failure, harness.events())
}

#[tokio::test]
async fn failure_of_the_node_is_recorded() {
    let refused = Failure::new(FailureKind::AccessDenied, "10.0.0.7:3306: error 1045");
    let (failure, events) = failure_then_success(Script::Fail(refused.clone())).await;
    assert_eq!(failure, refused);
    assert_eq!(events, [Event::Failed(FailureKind::AccessDenied), Event::Collected(1)]);
}

#[tokio::test]
async fn full_disk_is_reported() {
    let (failure, events) = failure_then_success(Script::FailWriting(ENOSPC)).await;
    assert_eq!(failure.kind, FailureKind::StoreFailed);
    assert!(failure.detail.contains("No space left"), "{failure}");
    assert_eq!(events, [Event::Failed(FailureKind::StoreFailed), Event::Collected(1)]);
}

#[tokio::test]
async fn panic_during_a_read_fails_only_its_collection() {
    let (failure, _) = failure_then_success(Script::PanicReading).await;
    assert_eq!(failure.kind, FailureKind::RetriesExhausted);
    assert!(failure.detail.contains("bug"), "{failure}");
}

#[tokio::test]
async fn panic_during_a_write_fails_only_its_collection() {
    let (failure, _) = failure_then_success(Script::PanicWriting).await;
    assert_eq!(failure.kind, FailureKind::RetriesExhausted);
    assert!(failure.detail.contains("bug"), "{failure}");
}

#[tokio::test]
async fn missing_results_folder_is_reported() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader).await;
    std::fs::remove_dir(harness.results_folder()).unwrap();
    let worker = harness.start_worker();
    let failure = wait_for_failure(&harness, &harness.submit("one").await).await;
    assert_eq!(failure.kind, FailureKind::StoreFailed);
    assert!(failure.detail.contains("results"), "{failure}");
    worker.stop().await;
}

#[tokio::test]
async fn removed_node_is_not_read() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec![]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    let id = harness.submit("one").await;
    assert!(
        harness
            .store
            .instances()
            .remove_instance(&test_origin(), &harness.instance.project_id, &harness.instance.id)
            .await
            .unwrap()
    );
    let worker = harness.start_worker();
    assert_eq!(wait_for_failure(&harness, &id).await.kind, FailureKind::NodeRemoved);
    worker.stop().await;
    assert_eq!(reader.stats("one").started, 0);
}

#[tokio::test]
async fn collection_fails_without_a_read_after_too_many_attempts() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec![]))]);
    // Each lost lease delays the next claim by one more lease.
    let settings = WorkerSettings { max_attempts: 3, lease: Duration::from_millis(500), ..WorkerSettings::default() };
    let harness = Harness::new(&["one"], settings, reader.clone()).await;
    let id = harness.submit("one").await;
    for attempt in 1..=3 {
        let claimed = wait_for("a lapsed lease", async || harness.claim(Duration::from_millis(1)).await).await;
        assert_eq!(claimed.task.attempts, attempt);
    }
    let worker = harness.start_worker();
    let failure = wait_for_failure(&harness, &id).await;
    worker.stop().await;
    assert_eq!(failure.kind, FailureKind::RetriesExhausted);
    assert!(failure.detail.contains("3 times"), "{failure}");
    assert_eq!(reader.stats("one").started, 0);
}

struct NoMetrics;

impl WorkerObserver for NoMetrics {
    fn record_collection_success(&self, _rows: u64, _seconds: f64) {}
    fn record_collection_failure(&self, _kind: FailureKind) {}
    fn record_poll_interval_change(&self, _node: &NodeId, _interval: Option<Duration>) {}
}

#[tokio::test]
async fn default_reader_connects_to_servers() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut harness = Harness::new(&[&closed.to_string()], WorkerSettings::default(), ScriptedReader::new([])).await;
    harness.collections =
        SessionCollectionQueue::new(harness.store.clone(), WorkerSettings::default(), std::sync::Arc::new(NoMetrics));
    let worker = harness.start_worker();
    let failure = wait_for_failure(&harness, &harness.submit("127.0.0.1").await).await;
    worker.stop().await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.detail.contains(&closed.to_string()), "{failure}");
}
