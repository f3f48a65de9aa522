//! Leases: a worker that lost its lease records no outcome and leaves no file.

use std::time::Duration;

use clew_model::{CollectionTaskOutcome, CollectionTaskStatus, Failure, FailureKind, RequestId};
use clew_store::ClaimedTask;
use clew_worker::WorkerSettings;

use crate::harness::{Harness, wait_for, wait_until};
use crate::scripted_reader::{HeldWrite, Script, ScriptedReader};

/// Size of a result that exceeds the worker's buffer, so that the writer checks for cancellation.
const LARGE_RESULT: usize = 2 << 20;

/// Long enough for a busy machine, and short enough to wait for.
const LEASE: Duration = Duration::from_secs(3);

/// One collection at a time: a worker that loses its lease does not claim the collection again.
fn settings(lease: Duration) -> WorkerSettings {
    WorkerSettings { concurrency: 1, lease, ..WorkerSettings::default() }
}

/// Claims the collection that the worker runs, as if its lease had expired.
async fn steal_lease(harness: &Harness, id: &RequestId) -> ClaimedTask {
    assert!(harness.store.tasks().release_task(id, 1).await.unwrap());
    let new_claim = harness.claim(Duration::from_hours(1)).await.unwrap();
    assert_eq!((&new_claim.task.request.request_id, new_claim.fence), (id, 2));
    new_claim
}

/// Checks that the new owner still holds the lease and can end the collection.
async fn check_new_owner(harness: &Harness, new_claim: &ClaimedTask) {
    let id = &new_claim.task.request.request_id;
    assert_eq!(harness.task(id).await.status, CollectionTaskStatus::Running);
    let outcome = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "ended by the new owner"));
    assert!(harness.store.tasks().complete_task(id, new_claim.fence, &outcome).await.unwrap());
    assert_eq!(harness.wait_until_ended(id).await.failure.unwrap().detail, "ended by the new owner");
}

#[tokio::test]
async fn lease_lost_during_a_read_cancels_the_read() {
    let reader = ScriptedReader::new([("one", Script::Hang)]);
    let harness = Harness::new(&["one"], settings(LEASE), reader.clone()).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("the read", || reader.stats("one").running == 1).await;
    let new_claim = steal_lease(&harness, &id).await;
    wait_until("the end of the read", || reader.stats("one").running == 0).await;
    worker.stop().await;
    check_new_owner(&harness, &new_claim).await;
    assert_eq!((harness.files(), harness.events()), (vec![], vec![]));
}

#[tokio::test]
async fn lease_lost_during_a_write_cancels_the_write() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(LARGE_RESULT)), ("two", Script::Rows(vec![]))]);
    let harness = Harness::new(&["one", "two"], settings(LEASE), reader).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("the write", || held.is_waiting()).await;
    let new_claim = steal_lease(&harness, &id).await;
    // The worker's only slot is free again, because the first collection released it.
    let two = harness.submit("two").await;
    harness.wait_until_finished(&two).await;
    held.release();
    assert!(held.outcome().unwrap_err().to_string().contains("was cancelled"));
    worker.stop().await;
    check_new_owner(&harness, &new_claim).await;
    let remaining = [harness.task(&two).await.result.unwrap().name];
    wait_until("removal of the partial result", || harness.files() == remaining).await;
}

#[tokio::test]
async fn lease_lost_after_the_last_renewal_discards_the_result() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(LARGE_RESULT))]);
    let harness = Harness::new(&["one"], settings(Duration::from_hours(1)), reader).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("the write", || held.is_waiting()).await;
    let new_claim = steal_lease(&harness, &id).await;
    held.release();
    held.outcome().unwrap();
    worker.stop().await;
    assert_eq!((harness.files(), harness.events()), (vec![], vec![]));
    check_new_owner(&harness, &new_claim).await;
}

#[tokio::test]
async fn lease_is_renewed_until_the_collection_ends() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(LARGE_RESULT))]);
    let harness = Harness::new(&["one"], settings(LEASE), reader.clone()).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("the write", || held.is_waiting()).await;
    let lease_until = async || harness.number("SELECT MAX(lease_until) FROM tasks").await;
    let first = lease_until().await;
    let more = i64::try_from(LEASE.as_millis()).unwrap();
    wait_for("a renewed lease", async || (lease_until().await > first + more).then_some(())).await;
    held.release();
    assert_eq!(harness.wait_until_finished(&id).await.attempts, 1);
    worker.stop().await;
    assert_eq!(reader.stats("one").started, 1);
}

#[tokio::test]
async fn collection_of_a_crashed_worker_is_claimed_again() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader).await;
    let id = harness.submit("one").await;
    harness.claim(Duration::from_millis(50)).await.unwrap();
    let worker = harness.start_worker();
    assert_eq!(harness.body(&id).await, "x\r\n");
    worker.stop().await;
    let task = harness.task(&id).await;
    assert_eq!(task.attempts, 2);
    assert!(task.result.unwrap().name.contains(".2."));
}
