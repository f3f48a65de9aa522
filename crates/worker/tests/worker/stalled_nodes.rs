//! Stalled nodes: their collections release their slots, within a limit, and do not delay other nodes.

use std::sync::Arc;
use std::time::Duration;

use clew_model::{CollectionTaskStatus, Failure, FailureKind};
use clew_worker::WorkerSettings;
use tokio::sync::Semaphore;

use crate::harness::{Harness, wait_until};
use crate::scripted_reader::{Script, ScriptedReader};

/// One active slot, and `waiting` stalled collections.
fn settings(waiting: usize) -> WorkerSettings {
    WorkerSettings {
        concurrency: 1,
        max_stalled: waiting,
        max_running_per_node: 2,
        stall_timeout: Duration::from_millis(20),
        grace: Duration::ZERO,
        ..WorkerSettings::default()
    }
}

const HUNG: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn healthy() -> (&'static str, Script) {
    ("healthy", Script::Rows(vec!["x\r\n"]))
}

#[tokio::test]
async fn more_hung_nodes_than_slots_do_not_delay_other_nodes() {
    let reader = ScriptedReader::new(HUNG.map(|host| (host, Script::Hang)).into_iter().chain([healthy()]));
    let harness = Harness::new(&["healthy", "h1", "h2", "h3", "h4"], settings(8), reader.clone()).await;
    let worker = harness.start_worker();
    let mut hung = Vec::new();
    for host in HUNG {
        hung.push(harness.submit(host).await);
    }
    for _ in 0..3 {
        harness.wait_until_finished(&harness.submit("healthy").await).await;
    }
    wait_until("all reads", || HUNG.iter().all(|host| reader.stats(host).running == 1)).await;
    harness.wait_until_finished(&harness.submit("healthy").await).await;
    for id in &hung {
        assert_eq!(harness.task(id).await.status, CollectionTaskStatus::Running);
    }
    worker.stop().await;
    assert!(HUNG.iter().all(|host| reader.stats(host).running == 0));
}

#[tokio::test]
async fn stalled_read_completes_once_the_node_responds() {
    let gate = Arc::new(Semaphore::new(0));
    let hosts = ["a", "b", "c"];
    let reader =
        ScriptedReader::new(hosts.map(|host| (host, Script::Gate(gate.clone()))).into_iter().chain([healthy()]));
    let harness = Harness::new(&["a", "b", "c", "healthy"], settings(3), reader.clone()).await;
    let worker = harness.start_worker();
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(harness.submit(host).await);
    }
    wait_until("three stalled reads", || hosts.iter().all(|host| reader.stats(host).running == 1)).await;
    harness.wait_until_finished(&harness.submit("healthy").await).await;
    gate.add_permits(3);
    for id in &ids {
        assert_eq!(harness.body(id).await, "1\r\n");
    }
    worker.stop().await;
}

#[tokio::test]
async fn stalled_collections_are_limited() {
    let gate = Arc::new(Semaphore::new(0));
    let hosts = ["a", "b", "c", "d", "e"];
    let reader = ScriptedReader::new(hosts.map(|host| (host, Script::Gate(gate.clone()))));
    let harness = Harness::new(&hosts, settings(1), reader.clone()).await;
    let worker = harness.start_worker();
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(harness.submit(host).await);
    }
    for _ in 0..hosts.len() {
        let running = || hosts.iter().map(|host| reader.stats(host).running).sum::<usize>();
        wait_until("a read", || running() > 0).await;
        gate.add_permits(1);
    }
    for id in &ids {
        harness.wait_until_finished(id).await;
    }
    assert!(reader.max_concurrent() <= 2, "{} at once", reader.max_concurrent());
    worker.stop().await;
}

#[tokio::test]
async fn stalled_nodes_leave_a_slot_for_other_nodes() {
    let reader = ScriptedReader::new(HUNG.map(|host| (host, Script::Hang)).into_iter().chain([healthy()]));
    let harness = Harness::new(&["healthy", "h1", "h2"], settings(2), reader.clone()).await;
    let worker = harness.start_worker();
    for host in ["h1", "h2"] {
        harness.submit(host).await;
    }
    wait_until("both reads", || ["h1", "h2"].iter().all(|host| reader.stats(host).running == 1)).await;
    // A slot becomes free once the second node stalls.
    harness.wait_until_finished(&harness.submit("healthy").await).await;
    // Both nodes allow a second concurrent read, but that would use the last slot.
    let more = [harness.submit("h1").await, harness.submit("h2").await];
    for _ in 0..3 {
        harness.wait_until_finished(&harness.submit("healthy").await).await;
    }
    for id in &more {
        assert_eq!(harness.task(id).await.status, CollectionTaskStatus::Queued);
    }
    assert_eq!((reader.stats("h1").started, reader.stats("h2").started), (1, 1));
    worker.stop().await;
}

#[tokio::test]
async fn node_that_timed_out_starts_its_next_read_as_stalled() {
    let gate = Arc::new(Semaphore::new(0));
    let late = Failure::new(FailureKind::TimedOut, "no answer");
    let first = ScriptedReader::new([("late", Script::Fail(late)), healthy()]);
    // With this timeout, only the recorded outcome of the first read can release the slot.
    let long_stall_timeout = WorkerSettings { stall_timeout: Duration::from_hours(1), ..settings(4) };
    let harness = Harness::new(&["late", "healthy"], long_stall_timeout, first.clone()).await;
    let worker = harness.start_worker();
    assert_eq!(harness.wait_until_ended(&harness.submit("late").await).await.status, CollectionTaskStatus::Error);
    first.set_script("late", Script::Gate(gate.clone()));
    let second = harness.submit("late").await;
    wait_until("the second read", || first.stats("late").running == 1).await;
    harness.wait_until_finished(&harness.submit("healthy").await).await;
    gate.add_permits(1);
    harness.wait_until_finished(&second).await;
    worker.stop().await;
}

#[tokio::test]
async fn busy_read_yields_to_other_reads() {
    let reader = ScriptedReader::new([("busy", Script::Busy), healthy()]);
    let settings = WorkerSettings { concurrency: 2, ..settings(0) };
    let harness = Harness::new(&["busy", "healthy"], settings, reader.clone()).await;
    let worker = harness.start_worker();
    harness.submit("busy").await;
    wait_until("the busy read", || reader.stats("busy").running == 1).await;
    harness.wait_until_finished(&harness.submit("healthy").await).await;
    worker.stop().await;
}
