//! Shutdown: the worker finishes running collections within the grace period and releases the others.

use std::sync::Arc;
use std::time::Duration;

use clew_model::CollectionTaskStatus;
use clew_worker::WorkerSettings;
use tokio::sync::Semaphore;

use crate::harness::{Event, Harness, wait_until};
use crate::scripted_reader::{HeldWrite, Script, ScriptedReader};

fn settings(grace: Duration) -> WorkerSettings {
    WorkerSettings { grace, max_running_per_node: 2, ..WorkerSettings::default() }
}

#[tokio::test]
async fn unfinished_collections_are_released_without_a_counted_attempt() {
    let hung = ScriptedReader::new([("one", Script::Hang)]);
    let mut harness = Harness::new(&["one"], settings(Duration::from_millis(50)), hung.clone()).await;
    let worker = harness.start_worker();
    let ids = [harness.submit("one").await, harness.submit("one").await, harness.submit("one").await];
    wait_until("two reads", || hung.stats("one").running == 2).await;
    worker.stop().await;
    assert_eq!(hung.stats("one").running, 0);
    for id in &ids {
        let task = harness.task(id).await;
        assert_eq!((task.status, task.attempts), (CollectionTaskStatus::Queued, 0));
    }

    harness.replace(WorkerSettings::default(), ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]));
    let next = harness.start_worker();
    for id in &ids {
        assert_eq!(harness.body(id).await, "x\r\n");
    }
    next.stop().await;
    assert_eq!(harness.events(), [Event::Collected(1); 3]);
}

#[tokio::test]
async fn collections_finish_within_the_grace_period_and_no_new_one_starts() {
    let gate = Arc::new(Semaphore::new(0));
    let reader = ScriptedReader::new([("one", Script::Gate(gate.clone()))]);
    let harness = Harness::new(&["one"], settings(Duration::from_mins(1)), reader.clone()).await;
    let worker = harness.start_worker();
    let (first, second) = (harness.submit("one").await, harness.submit("one").await);
    wait_until("two reads", || reader.stats("one").running == 2).await;
    worker.request_stop();
    let late = harness.submit("one").await;
    gate.add_permits(3);
    worker.stop().await;
    for id in [&first, &second] {
        assert_eq!(harness.task(id).await.status, CollectionTaskStatus::Finished);
    }
    assert_eq!(harness.task(&late).await.status, CollectionTaskStatus::Queued);
}

#[tokio::test]
async fn partially_written_result_is_removed() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(2 << 20))]);
    let harness = Harness::new(&["one"], settings(Duration::ZERO), reader).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;
    wait_until("the write", || held.is_waiting()).await;
    worker.stop().await;
    assert_eq!(harness.task(&id).await.status, CollectionTaskStatus::Queued);
    held.release();
    held.outcome().unwrap_err();
    wait_until("an empty folder", || harness.files().is_empty()).await;
}

#[tokio::test]
async fn dropped_worker_releases_its_collections() {
    let hung = ScriptedReader::new([("one", Script::Hang)]);
    let harness = Harness::new(&["one"], settings(Duration::from_mins(1)), hung.clone()).await;
    let id = harness.submit("one").await;
    let running = tokio::spawn(harness.collections.clone().run(tokio_util::sync::CancellationToken::new()));
    wait_until("the read", || hung.stats("one").running == 1).await;
    running.abort();
    crate::harness::wait_for("the task in the queue", async || {
        (harness.task(&id).await.status == CollectionTaskStatus::Queued).then_some(())
    })
    .await;
}
