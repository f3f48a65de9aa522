//! Who is taken up, when, and how many at once.

use std::sync::Arc;

use clew_model::{Selection, SelectionDraft, TaskStatus};
use clew_mysql::Statements;
use clew_store::StoreError;
use clew_tasks::Settings;
use tokio::sync::Semaphore;

use crate::bench::{Bench, Told, until};
use crate::scripted::{Script, ScriptedReader};

#[tokio::test]
async fn a_collection_ends_with_its_rows_in_a_file() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["1,a\r\n", "2,b\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader).await;
    let worker = bench.work();
    let id = bench.submit("one").await;

    assert_eq!(bench.body(&id).await, "1,a\r\n2,b\r\n");
    let task = bench.task(&id).await;
    let record = task.result.unwrap();
    assert_eq!((record.rows, record.bytes, task.attempts), (2, 10, 1));
    worker.stop().await;
    assert_eq!(bench.told(), [Told::Collected(2)]);
}

#[tokio::test]
async fn a_masked_collection_is_read_masked_and_no_other() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["1,a\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    let worker = bench.work();
    for masked in [true, false] {
        let (project, instance) = (bench.instance.project_id.clone(), bench.instance.id.clone());
        let submitted = bench.collections.submit(project, instance, bench.node("one"), Selection::default(), masked);
        bench.finished(&submitted.await.unwrap()).await;
    }
    worker.stop().await;
    assert_eq!(reader.seen("one").statements, [Statements::Templates, Statements::Whole]);
}

#[tokio::test]
async fn what_waited_before_the_worker_started_is_taken_up() {
    let bench = Bench::new(&["one"], Settings::default(), ScriptedReader::new([("one", Script::Rows(vec![]))])).await;
    let id = bench.submit("one").await;
    assert_eq!(bench.task(&id).await.status, TaskStatus::Queued);
    let worker = bench.work();
    assert_eq!(bench.body(&id).await, "");
    worker.stop().await;
}

#[tokio::test]
async fn two_of_a_node_run_at_once_and_a_third_waits() {
    let gate = Arc::new(Semaphore::new(0));
    let reader = ScriptedReader::new([("one", Script::Gate(gate.clone())), ("other", Script::Rows(vec!["x\r\n"]))]);
    let settings = Settings { per_node: 2, ..Settings::default() };
    let bench = Bench::new(&["one", "other"], settings, reader.clone()).await;
    let worker = bench.work();
    let ids = [bench.submit("one").await, bench.submit("one").await, bench.submit("one").await];
    until("two reads", || reader.seen("one").running == 2).await;

    // Younger than the third, and done: so the third was passed over.
    let other = bench.submit("other").await;
    bench.finished(&other).await;
    assert_eq!(reader.seen("one").started, 2);
    assert_eq!(bench.task(&ids[2]).await.status, TaskStatus::Queued);

    gate.add_permits(3);
    for id in &ids {
        bench.finished(id).await;
    }
    assert_eq!(reader.seen("one").most_at_once, 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_hung_node_delays_no_other() {
    let reader = ScriptedReader::new([("hung", Script::Hang), ("well", Script::Rows(vec!["x\r\n"]))]);
    let settings = Settings { concurrency: 3, per_node: 2, grace: std::time::Duration::ZERO, ..Settings::default() };
    let bench = Bench::new(&["hung", "well"], settings, reader.clone()).await;
    let worker = bench.work();
    for _ in 0..10 {
        bench.submit("hung").await;
    }
    until("both reads of the hung node", || reader.seen("hung").running == 2).await;
    for _ in 0..10 {
        let id = bench.submit("well").await;
        bench.finished(&id).await;
    }
    assert_eq!(reader.seen("hung").started, 2);
    worker.stop().await;
}

#[tokio::test]
async fn no_more_run_at_once_than_the_process_may() {
    let gate = Arc::new(Semaphore::new(0));
    let hosts = ["a", "b", "c"];
    let reader = ScriptedReader::new(hosts.map(|host| (host, Script::Gate(gate.clone()))));
    let settings = Settings { concurrency: 1, ..Settings::default() };
    let bench = Bench::new(&hosts, settings, reader.clone()).await;
    let worker = bench.work();
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(bench.submit(host).await);
    }
    for (at, id) in ids.iter().enumerate() {
        until("the next read", || reader.seen(hosts[at]).running == 1).await;
        assert_eq!(hosts.iter().map(|host| reader.seen(host).running).sum::<usize>(), 1);
        gate.add_permits(1);
        bench.finished(id).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_names_its_limit() {
    let settings = Settings { queue_per_node: 2, ..Settings::default() };
    let bench = Bench::new(&["one", "other"], settings, ScriptedReader::new([])).await;
    bench.submit("one").await;
    bench.submit("one").await;
    let refused = bench.try_submit("one", Selection::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::QueueFull { limit: 2, .. }), "{refused}");
    bench.submit("other").await;
}

#[tokio::test]
async fn the_threshold_is_the_callers_else_the_instances_else_the_default() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec![]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    let threshold = |seconds| SelectionDraft { slow_process_threshold: Some(seconds), ..SelectionDraft::default() };
    let asked = Selection::parse(SelectionDraft { user: Some("app".into()), ..threshold(3) }).unwrap();
    let worker = bench.work();
    bench.finished(&bench.submit("one").await).await;
    bench.sql("UPDATE instances SET slow_threshold = 7").await;
    bench.finished(&bench.submit("one").await).await;
    bench.finished(&bench.try_submit("one", asked.clone()).await.unwrap()).await;
    worker.stop().await;
    let instances = Selection::parse(threshold(7)).unwrap();
    assert_eq!(reader.seen("one").selections, [Selection::default(), instances, asked]);
}
