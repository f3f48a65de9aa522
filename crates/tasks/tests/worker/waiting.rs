//! Waiting for the end of a collection.

use std::sync::Arc;
use std::time::Duration;

use clew_model::{RequestId, TaskOutcome, TaskStatus};
use clew_tasks::Settings;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::bench::{Bench, until};
use crate::scripted::{Script, ScriptedReader};

const LONG: Duration = Duration::from_secs(20);

/// Who waits looks for itself only at the beginning and at the end of the wait.
fn told_only() -> Settings {
    Settings { completion_poll_interval: Duration::from_hours(1), ..Settings::default() }
}

#[tokio::test]
async fn who_waits_is_told_by_the_worker() {
    let gate = Arc::new(Semaphore::new(0));
    let failure = clew_model::Failure::new(clew_model::FailureKind::Unreachable, "refused");
    let reader = ScriptedReader::new([("works", Script::Gate(gate.clone())), ("fails", Script::Fail(failure))]);
    let bench = Bench::new(&["works", "fails"], told_only(), reader).await;
    let id = bench.submit("works").await;
    let (collections, of) = (bench.collections.clone(), id.clone());
    let waiting = tokio::spawn(async move { collections.wait_for_end(&of, Duration::from_hours(1)).await });
    until("somebody who waits", || bench.collections.waiters() == 1).await;
    let worker = bench.work();
    gate.add_permits(1);
    let ended = timeout(LONG, waiting).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!((ended.request_id, ended.status), (id, TaskStatus::Finished));
    let id = bench.submit("fails").await;
    let ended = timeout(LONG, bench.collections.wait_for_end(&id, Duration::from_hours(1))).await.unwrap().unwrap();
    assert_eq!(ended.unwrap().status, TaskStatus::Error);
    assert_eq!(bench.collections.waiters(), 0);
    worker.stop().await;
}

#[tokio::test]
async fn the_end_that_another_process_records_is_seen() {
    let settings = Settings { completion_poll_interval: Duration::from_millis(5), ..Settings::default() };
    let bench = Bench::new(&["a"], settings, ScriptedReader::new([])).await;
    let id = bench.submit("a").await;
    let claimed = bench.claim(LONG).await.unwrap();
    let (collections, of) = (bench.collections.clone(), id.clone());
    let waiting = tokio::spawn(async move { collections.wait_for_end(&of, Duration::from_hours(1)).await });
    until("somebody who waits", || bench.collections.waiters() == 1).await;
    let outcome = TaskOutcome::Finished { result_name: "r".into(), rows: 0, bytes: 0, sha256: String::new() };
    assert!(bench.store.end_task(&id, claimed.fence, &outcome).await.unwrap());
    let ended = timeout(LONG, waiting).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(ended.status, TaskStatus::Finished);
}

#[tokio::test]
async fn a_wait_ends_at_its_limit_at_the_end_of_the_process_and_for_what_is_unknown() {
    let bench = Bench::new(&["a"], told_only(), ScriptedReader::new([])).await;
    let id = bench.submit("a").await;
    let wait = async |id: &RequestId, limit| {
        timeout(LONG, bench.collections.wait_for_end(id, limit)).await.unwrap().unwrap().map(|task| task.status)
    };
    assert_eq!(wait(&id, Duration::from_millis(1)).await, Some(TaskStatus::Queued));
    assert_eq!(wait(&RequestId::generate(), Duration::from_hours(1)).await, None);
    bench.collections.end_waits();
    assert_eq!(wait(&id, Duration::from_hours(1)).await, Some(TaskStatus::Queued));
}
