//! A worker that stops finishes what it can and hands back the rest.

use std::sync::Arc;
use std::time::Duration;

use clew_model::TaskStatus;
use clew_tasks::Settings;
use tokio::sync::Semaphore;

use crate::bench::{Bench, Told, until};
use crate::scripted::{HeldWrite, Script, ScriptedReader};

fn settings(grace: Duration) -> Settings {
    Settings { grace, per_node: 2, ..Settings::default() }
}

#[tokio::test]
async fn what_cannot_be_finished_is_handed_back_as_if_never_taken() {
    let hung = ScriptedReader::new([("one", Script::Hang)]);
    let mut bench = Bench::new(&["one"], settings(Duration::from_millis(50)), hung.clone()).await;
    let worker = bench.work();
    let ids = [bench.submit("one").await, bench.submit("one").await, bench.submit("one").await];
    until("two reads", || hung.seen("one").running == 2).await;
    worker.stop().await;
    assert_eq!(hung.seen("one").running, 0);
    for id in &ids {
        let task = bench.task(id).await;
        assert_eq!((task.status, task.attempts), (TaskStatus::Queued, 0));
    }

    bench.with(Settings::default(), ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]));
    let next = bench.work();
    for id in &ids {
        assert_eq!(bench.body(id).await, "x\r\n");
    }
    next.stop().await;
    assert_eq!(bench.told(), [Told::Collected(1); 3]);
}

#[tokio::test]
async fn what_ends_in_time_is_finished_and_nothing_new_is_begun() {
    let gate = Arc::new(Semaphore::new(0));
    let reader = ScriptedReader::new([("one", Script::Gate(gate.clone()))]);
    let bench = Bench::new(&["one"], settings(Duration::from_mins(1)), reader.clone()).await;
    let worker = bench.work();
    let (first, second) = (bench.submit("one").await, bench.submit("one").await);
    until("two reads", || reader.seen("one").running == 2).await;
    worker.tell_to_stop();
    let late = bench.submit("one").await;
    gate.add_permits(3);
    worker.stop().await;
    for id in [&first, &second] {
        assert_eq!(bench.task(id).await.status, TaskStatus::Finished);
    }
    assert_eq!(bench.task(&late).await.status, TaskStatus::Queued);
}

#[tokio::test]
async fn a_result_half_written_leaves_no_file() {
    let held = HeldWrite::new();
    let reader = ScriptedReader::new([("one", held.script(2 << 20))]);
    let bench = Bench::new(&["one"], settings(Duration::ZERO), reader).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("the write", || held.is_waiting()).await;
    worker.stop().await;
    assert_eq!(bench.task(&id).await.status, TaskStatus::Queued);
    held.go_on();
    held.outcome().unwrap_err();
    until("an empty folder", || bench.files().is_empty()).await;
}

#[tokio::test]
async fn a_worker_that_is_dropped_hands_back_too() {
    let hung = ScriptedReader::new([("one", Script::Hang)]);
    let bench = Bench::new(&["one"], settings(Duration::from_mins(1)), hung.clone()).await;
    let id = bench.submit("one").await;
    let running = tokio::spawn(bench.collections.clone().run(tokio_util::sync::CancellationToken::new()));
    until("the read", || hung.seen("one").running == 1).await;
    running.abort();
    crate::bench::eventually("the task in the queue", async || {
        (bench.task(&id).await.status == TaskStatus::Queued).then_some(())
    })
    .await;
}
