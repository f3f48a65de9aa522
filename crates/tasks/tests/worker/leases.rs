//! A worker that lost its lease changes nothing and leaves nothing.

use std::time::Duration;

use clew_model::{Failure, FailureKind, RequestId, TaskOutcome, TaskStatus};
use clew_store::ClaimedTask;
use clew_tasks::Settings;

use crate::bench::{Bench, eventually, until};
use crate::scripted::{HeldWrite, Script, ScriptedReader};

/// More than the worker's buffer, so that it must ask whether the result is still wanted.
const MUCH: usize = 2 << 20;

/// Long enough that a busy machine does not lose it, short enough to wait for.
const LEASE: Duration = Duration::from_secs(3);

/// One collection at a time: a worker that holds one does not take it up again when it loses it.
fn settings(lease: Duration) -> Settings {
    Settings { concurrency: 1, lease, ..Settings::default() }
}

/// Takes the collection from the worker that claimed it first, as if its lease had lapsed.
async fn steal(bench: &Bench, id: &RequestId) -> ClaimedTask {
    assert!(bench.store.release_task(id, 1).await.unwrap());
    let stolen = bench.claim(Duration::from_hours(1)).await.unwrap();
    assert_eq!((&stolen.task.request_id, stolen.fence), (id, 2));
    stolen
}

/// The thief still has it, and can end it.
async fn thief_ends_it(bench: &Bench, stolen: &ClaimedTask) {
    let id = &stolen.task.request_id;
    assert_eq!(bench.task(id).await.status, TaskStatus::Running);
    let outcome = TaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "told by the thief"));
    assert!(bench.store.end_task(id, stolen.fence, &outcome).await.unwrap());
    assert_eq!(bench.ended(id).await.failure.unwrap().detail, "told by the thief");
}

#[tokio::test]
async fn a_lease_lost_while_reading_ends_the_read() {
    let reader = ScriptedReader::new([("one", Script::Hang)]);
    let bench = Bench::new(&["one"], settings(LEASE), reader.clone()).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("the read", || reader.seen("one").running == 1).await;
    let stolen = steal(&bench, &id).await;
    until("the end of the read", || reader.seen("one").running == 0).await;
    worker.stop().await;
    thief_ends_it(&bench, &stolen).await;
    assert_eq!((bench.files(), bench.told()), (vec![], vec![]));
}

#[tokio::test]
async fn a_lease_lost_while_writing_ends_the_writing() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(MUCH)), ("two", Script::Rows(vec![]))]);
    let bench = Bench::new(&["one", "two"], settings(LEASE), reader).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("the write", || held.is_waiting()).await;
    let stolen = steal(&bench, &id).await;
    // The worker's only place is free again: it has let go of the first.
    let two = bench.submit("two").await;
    bench.finished(&two).await;
    held.go_on();
    assert!(held.outcome().unwrap_err().to_string().contains("no longer wanted"));
    worker.stop().await;
    thief_ends_it(&bench, &stolen).await;
    let kept = [bench.task(&two).await.result.unwrap().name];
    until("an end to what was written", || bench.files() == kept).await;
}

#[tokio::test]
async fn a_lease_lost_after_the_last_renewal_throws_the_result_away() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(MUCH))]);
    let bench = Bench::new(&["one"], settings(Duration::from_hours(1)), reader).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("the write", || held.is_waiting()).await;
    let stolen = steal(&bench, &id).await;
    held.go_on();
    held.outcome().unwrap();
    worker.stop().await;
    assert_eq!((bench.files(), bench.told()), (vec![], vec![]));
    thief_ends_it(&bench, &stolen).await;
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_it_takes() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(MUCH))]);
    let bench = Bench::new(&["one"], settings(LEASE), reader.clone()).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("the write", || held.is_waiting()).await;
    let lease_until = async || bench.number("SELECT MAX(lease_until) FROM tasks").await;
    let first = lease_until().await;
    let more = i64::try_from(LEASE.as_millis()).unwrap();
    eventually("a lease that goes on after its end", async || (lease_until().await > first + more).then_some(())).await;
    held.go_on();
    assert_eq!(bench.finished(&id).await.attempts, 1);
    worker.stop().await;
    assert_eq!(reader.seen("one").started, 1);
}

#[tokio::test]
async fn what_a_vanished_worker_held_is_taken_up_again() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader).await;
    let id = bench.submit("one").await;
    bench.claim(Duration::from_millis(50)).await.unwrap();
    let worker = bench.work();
    assert_eq!(bench.body(&id).await, "x\r\n");
    worker.stop().await;
    let task = bench.task(&id).await;
    assert_eq!(task.attempts, 2);
    assert!(task.result.unwrap().name.contains(".2."));
}
