//! Nodes that say nothing: their collections wait aside, within bounds, and nobody else's wait for them.

use std::sync::Arc;
use std::time::Duration;

use clew_model::{Failure, FailureKind, TaskStatus};
use clew_tasks::Settings;
use tokio::sync::Semaphore;

use crate::bench::{Bench, until};
use crate::scripted::{Script, ScriptedReader};

/// One place to work, and so many to wait.
fn settings(waiting: usize) -> Settings {
    Settings {
        concurrency: 1,
        waiting,
        per_node: 2,
        stall_timeout: Duration::from_millis(20),
        grace: Duration::ZERO,
        ..Settings::default()
    }
}

const HUNG: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn well() -> (&'static str, Script) {
    ("well", Script::Rows(vec!["x\r\n"]))
}

#[tokio::test]
async fn more_hung_nodes_than_places_delay_no_other() {
    let reader = ScriptedReader::new(HUNG.map(|host| (host, Script::Hang)).into_iter().chain([well()]));
    let bench = Bench::new(&["well", "h1", "h2", "h3", "h4"], settings(8), reader.clone()).await;
    let worker = bench.work();
    let mut hung = Vec::new();
    for host in HUNG {
        hung.push(bench.submit(host).await);
    }
    for _ in 0..3 {
        bench.finished(&bench.submit("well").await).await;
    }
    until("all reads", || HUNG.iter().all(|host| reader.seen(host).running == 1)).await;
    bench.finished(&bench.submit("well").await).await;
    for id in &hung {
        assert_eq!(bench.task(id).await.status, TaskStatus::Running);
    }
    worker.stop().await;
    assert!(HUNG.iter().all(|host| reader.seen(host).running == 0));
}

#[tokio::test]
async fn a_node_that_speaks_again_is_read_to_its_end() {
    let gate = Arc::new(Semaphore::new(0));
    let hosts = ["a", "b", "c"];
    let reader = ScriptedReader::new(hosts.map(|host| (host, Script::Gate(gate.clone()))).into_iter().chain([well()]));
    let bench = Bench::new(&["a", "b", "c", "well"], settings(3), reader.clone()).await;
    let worker = bench.work();
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(bench.submit(host).await);
    }
    until("three silent reads", || hosts.iter().all(|host| reader.seen(host).running == 1)).await;
    bench.finished(&bench.submit("well").await).await;
    gate.add_permits(3);
    for id in &ids {
        assert_eq!(bench.body(id).await, "1\r\n");
    }
    worker.stop().await;
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let gate = Arc::new(Semaphore::new(0));
    let hosts = ["a", "b", "c", "d", "e"];
    let reader = ScriptedReader::new(hosts.map(|host| (host, Script::Gate(gate.clone()))));
    let bench = Bench::new(&hosts, settings(1), reader.clone()).await;
    let worker = bench.work();
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(bench.submit(host).await);
    }
    for _ in 0..hosts.len() {
        let running = || hosts.iter().map(|host| reader.seen(host).running).sum::<usize>();
        until("a read", || running() > 0).await;
        gate.add_permits(1);
    }
    for id in &ids {
        bench.finished(id).await;
    }
    assert!(reader.most_at_once() <= 2, "{} at once", reader.most_at_once());
    worker.stop().await;
}

#[tokio::test]
async fn known_silent_nodes_leave_a_place_for_others() {
    let reader = ScriptedReader::new(HUNG.map(|host| (host, Script::Hang)).into_iter().chain([well()]));
    let bench = Bench::new(&["well", "h1", "h2"], settings(2), reader.clone()).await;
    let worker = bench.work();
    for host in ["h1", "h2"] {
        bench.submit(host).await;
    }
    until("both reads", || ["h1", "h2"].iter().all(|host| reader.seen(host).running == 1)).await;
    // Until the second of them is known to be silent there is no place.
    bench.finished(&bench.submit("well").await).await;
    // Both nodes may be read twice at once, but that would take the last place.
    let more = [bench.submit("h1").await, bench.submit("h2").await];
    for _ in 0..3 {
        bench.finished(&bench.submit("well").await).await;
    }
    for id in &more {
        assert_eq!(bench.task(id).await.status, TaskStatus::Queued);
    }
    assert_eq!((reader.seen("h1").started, reader.seen("h2").started), (1, 1));
    worker.stop().await;
}

#[tokio::test]
async fn who_did_not_answer_in_time_has_to_speak_first_the_next_time() {
    let gate = Arc::new(Semaphore::new(0));
    let late = Failure::new(FailureKind::TimedOut, "no answer");
    let first = ScriptedReader::new([("late", Script::Fail(late)), well()]);
    // So patient that only the memory of the first time can help.
    let patient = Settings { stall_timeout: Duration::from_hours(1), ..settings(4) };
    let bench = Bench::new(&["late", "well"], patient, first.clone()).await;
    let worker = bench.work();
    assert_eq!(bench.ended(&bench.submit("late").await).await.status, TaskStatus::Error);
    first.now("late", Script::Gate(gate.clone()));
    let second = bench.submit("late").await;
    until("the second read", || first.seen("late").running == 1).await;
    bench.finished(&bench.submit("well").await).await;
    gate.add_permits(1);
    bench.finished(&second).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_read_that_always_has_more_lets_others_have_their_turn() {
    let reader = ScriptedReader::new([("busy", Script::Busy), well()]);
    let settings = Settings { concurrency: 2, ..settings(0) };
    let bench = Bench::new(&["busy", "well"], settings, reader.clone()).await;
    let worker = bench.work();
    bench.submit("busy").await;
    until("the busy read", || reader.seen("busy").running == 1).await;
    bench.finished(&bench.submit("well").await).await;
    worker.stop().await;
}
