//! Every way in which a collection ends without a result: it says why, leaves no file, and harms no other.

use std::net::TcpListener;
use std::time::Duration;

use clew_model::{Failure, FailureKind, NodeId, RequestId, TaskStatus};
use clew_tasks::{Collections, Observer, Settings};

use crate::bench::{Bench, Told, by, eventually};
use crate::scripted::{Script, ScriptedReader};

/// "No space left on device" of every Unix.
const ENOSPC: i32 = 28;

async fn failure(bench: &Bench, id: &RequestId) -> Failure {
    let task = bench.ended(id).await;
    assert_eq!((task.status, task.result), (TaskStatus::Error, None));
    task.failure.unwrap()
}

/// Runs one collection that must fail, and then one that must not.
async fn failure_beside_a_success(script: Script) -> (Failure, Vec<Told>) {
    let reader = ScriptedReader::new([("ill", script), ("well", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["ill", "well"], Settings::default(), reader).await;
    let worker = bench.work();
    let ill = bench.submit("ill").await;
    let failure = failure(&bench, &ill).await;
    let well = bench.submit("well").await;
    assert_eq!(bench.body(&well).await, "x\r\n");
    worker.stop().await;
    assert_eq!(bench.task(&ill).await.attempts, 1);
    assert_eq!(bench.files(), [bench.task(&well).await.result.unwrap().name]);
    (failure, bench.told())
}

#[tokio::test]
async fn what_the_node_says_is_kept() {
    let refused = Failure::new(FailureKind::AccessDenied, "10.0.0.7:3306: error 1045");
    let (failure, told) = failure_beside_a_success(Script::Fail(refused.clone())).await;
    assert_eq!(failure, refused);
    assert_eq!(told, [Told::Failed(FailureKind::AccessDenied), Told::Collected(1)]);
}

#[tokio::test]
async fn a_full_disk_is_named() {
    let (failure, told) = failure_beside_a_success(Script::FailWriting(ENOSPC)).await;
    assert_eq!(failure.kind, FailureKind::StoreFailed);
    assert!(failure.detail.contains("No space left"), "{failure}");
    assert_eq!(told, [Told::Failed(FailureKind::StoreFailed), Told::Collected(1)]);
}

#[tokio::test]
async fn a_panic_while_reading_ends_only_its_own_collection() {
    let (failure, _) = failure_beside_a_success(Script::PanicReading).await;
    assert_eq!(failure.kind, FailureKind::GaveUp);
    assert!(failure.detail.contains("bug"), "{failure}");
}

#[tokio::test]
async fn a_panic_while_writing_ends_only_its_own_collection() {
    let (failure, _) = failure_beside_a_success(Script::PanicWriting).await;
    assert_eq!(failure.kind, FailureKind::GaveUp);
    assert!(failure.detail.contains("bug"), "{failure}");
}

#[tokio::test]
async fn a_missing_results_folder_is_named() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader).await;
    std::fs::remove_dir(bench.results_folder()).unwrap();
    let worker = bench.work();
    let failure = failure(&bench, &bench.submit("one").await).await;
    assert_eq!(failure.kind, FailureKind::StoreFailed);
    assert!(failure.detail.contains("results"), "{failure}");
    worker.stop().await;
}

#[tokio::test]
async fn a_node_that_was_removed_meanwhile_is_not_read() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec![]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    let id = bench.submit("one").await;
    assert!(bench.store.remove_instance(&by(), &bench.instance.project_id, &bench.instance.id).await.unwrap());
    let worker = bench.work();
    assert_eq!(failure(&bench, &id).await.kind, FailureKind::NodeGone);
    worker.stop().await;
    assert_eq!(reader.seen("one").started, 0);
}

#[tokio::test]
async fn what_was_lost_too_often_is_given_up_unread() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec![]))]);
    // What was lost again and again waits a lease longer each time.
    let settings = Settings { max_attempts: 3, lease: Duration::from_millis(500), ..Settings::default() };
    let bench = Bench::new(&["one"], settings, reader.clone()).await;
    let id = bench.submit("one").await;
    for attempt in 1..=3 {
        let claimed = eventually("a lapsed lease", async || bench.claim(Duration::from_millis(1)).await).await;
        assert_eq!(claimed.task.attempts, attempt);
    }
    let worker = bench.work();
    let failure = failure(&bench, &id).await;
    worker.stop().await;
    assert_eq!(failure.kind, FailureKind::GaveUp);
    assert!(failure.detail.contains("3 times"), "{failure}");
    assert_eq!(reader.seen("one").started, 0);
}

struct Silent;

impl Observer for Silent {
    fn collected(&self, _rows: u64, _seconds: f64) {}
    fn failed(&self, _kind: FailureKind) {}
    fn looks_every(&self, _node: &NodeId, _interval: Option<Duration>) {}
}

#[tokio::test]
async fn real_servers_are_read_by_default() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::new(&[&closed.to_string()], Settings::default(), ScriptedReader::new([])).await;
    bench.collections = Collections::new(bench.store.clone(), Settings::default(), std::sync::Arc::new(Silent));
    let worker = bench.work();
    let failure = failure(&bench, &bench.submit("127.0.0.1").await).await;
    worker.stop().await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.detail.contains(&closed.to_string()), "{failure}");
}
