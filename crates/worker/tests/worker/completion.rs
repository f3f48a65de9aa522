//! Wait for the completion of a collection.

use std::sync::Arc;
use std::time::Duration;

use clew_model::{CollectionTaskOutcome, CollectionTaskStatus, RequestId};
use clew_worker::WorkerSettings;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::harness::{Harness, wait_until};
use crate::scripted_reader::{Script, ScriptedReader};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Settings without polling between the start and the end of a wait.
fn without_polling() -> WorkerSettings {
    WorkerSettings { completion_poll_interval: Duration::from_hours(1), ..WorkerSettings::default() }
}

#[tokio::test]
async fn worker_notifies_waiters_of_completion() {
    let gate = Arc::new(Semaphore::new(0));
    let failure = clew_model::Failure::new(clew_model::FailureKind::Unreachable, "refused");
    let reader = ScriptedReader::new([("works", Script::Gate(gate.clone())), ("fails", Script::Fail(failure))]);
    let harness = Harness::new(&["works", "fails"], without_polling(), reader).await;
    let id = harness.submit("works").await;
    let (collections, awaited) = (harness.collections.clone(), id.clone());
    let waiting = tokio::spawn(async move { collections.wait_for_completion(&awaited, Duration::from_hours(1)).await });
    wait_until("a waiter", || harness.collections.waiter_count() == 1).await;
    let worker = harness.start_worker();
    gate.add_permits(1);
    let ended = timeout(TIMEOUT, waiting).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!((ended.request.request_id, ended.status), (id, CollectionTaskStatus::Finished));
    let id = harness.submit("fails").await;
    let ended =
        timeout(TIMEOUT, harness.collections.wait_for_completion(&id, Duration::from_hours(1))).await.unwrap().unwrap();
    assert_eq!(ended.unwrap().status, CollectionTaskStatus::Error);
    assert_eq!(harness.collections.waiter_count(), 0);
    worker.stop().await;
}

#[tokio::test]
async fn polling_detects_completion_by_another_process() {
    let settings = WorkerSettings { completion_poll_interval: Duration::from_millis(5), ..WorkerSettings::default() };
    let harness = Harness::new(&["a"], settings, ScriptedReader::new([])).await;
    let id = harness.submit("a").await;
    let claimed = harness.claim(TIMEOUT).await.unwrap();
    let (collections, awaited) = (harness.collections.clone(), id.clone());
    let waiting = tokio::spawn(async move { collections.wait_for_completion(&awaited, Duration::from_hours(1)).await });
    wait_until("a waiter", || harness.collections.waiter_count() == 1).await;
    let outcome = CollectionTaskOutcome::Finished {
        result_name: "r".into(),
        rows: 0,
        bytes: 0,
        sha256: String::new(),
        limitations: vec![],
    };
    assert!(harness.store.tasks().complete_task(&id, claimed.fence, &outcome).await.unwrap());
    let ended = timeout(TIMEOUT, waiting).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(ended.status, CollectionTaskStatus::Finished);
}

#[tokio::test]
async fn wait_ends_at_its_limit_on_shutdown_and_for_an_unknown_collection() {
    let harness = Harness::new(&["a"], without_polling(), ScriptedReader::new([])).await;
    let id = harness.submit("a").await;
    let wait = async |id: &RequestId, limit| {
        timeout(TIMEOUT, harness.collections.wait_for_completion(id, limit))
            .await
            .unwrap()
            .unwrap()
            .map(|task| task.status)
    };
    assert_eq!(wait(&id, Duration::from_millis(1)).await, Some(CollectionTaskStatus::Queued));
    assert_eq!(wait(&RequestId::generate(), Duration::from_hours(1)).await, None);
    harness.collections.cancel_completion_waits();
    assert_eq!(wait(&id, Duration::from_hours(1)).await, Some(CollectionTaskStatus::Queued));
}
