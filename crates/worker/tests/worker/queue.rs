//! Queue: order of claims, and limits of concurrency.

use std::sync::Arc;

use clew_model::{CollectionTaskStatus, SessionSelection, UnvalidatedSessionSelection};
use clew_store::StoreError;
use clew_worker::WorkerSettings;
use tokio::sync::Semaphore;

use crate::harness::{Event, Harness, wait_until};
use crate::scripted_reader::{Script, ScriptedReader};

#[tokio::test]
async fn finished_collection_has_a_result_file() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["1,a\r\n", "2,b\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader).await;
    let worker = harness.start_worker();
    let id = harness.submit("one").await;

    assert_eq!(harness.body(&id).await, "1,a\r\n2,b\r\n");
    let task = harness.task(&id).await;
    let record = task.result.unwrap();
    assert_eq!((record.rows, record.bytes, task.attempts), (2, 10, 1));
    worker.stop().await;
    assert_eq!(harness.events(), [Event::Collected(2)]);
}

#[tokio::test]
async fn only_masked_collections_are_read_as_templates() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["1,a\r\n"]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    let worker = harness.start_worker();
    for masked in [true, false] {
        let (project, instance) = (harness.instance.project_id.clone(), harness.instance.id.clone());
        let submitted = harness.collections.submit_collection(
            project,
            instance,
            harness.node("one"),
            SessionSelection::default(),
            masked,
        );
        harness.wait_until_finished(&submitted.await.unwrap()).await;
    }
    worker.stop().await;
    assert_eq!(reader.stats("one").masked, [true, false]);
}

#[tokio::test]
async fn collection_queued_before_the_worker_started_is_claimed() {
    let harness =
        Harness::new(&["one"], WorkerSettings::default(), ScriptedReader::new([("one", Script::Rows(vec![]))])).await;
    let id = harness.submit("one").await;
    assert_eq!(harness.task(&id).await.status, CollectionTaskStatus::Queued);
    let worker = harness.start_worker();
    assert_eq!(harness.body(&id).await, "");
    worker.stop().await;
}

#[tokio::test]
async fn concurrent_collections_per_node_are_limited() {
    let gate = Arc::new(Semaphore::new(0));
    let reader = ScriptedReader::new([("one", Script::Gate(gate.clone())), ("other", Script::Rows(vec!["x\r\n"]))]);
    let settings = WorkerSettings { max_running_per_node: 2, ..WorkerSettings::default() };
    let harness = Harness::new(&["one", "other"], settings, reader.clone()).await;
    let worker = harness.start_worker();
    let ids = [harness.submit("one").await, harness.submit("one").await, harness.submit("one").await];
    wait_until("two reads", || reader.stats("one").running == 2).await;

    // This collection is younger than the third one and finishes first: the third one was skipped.
    let other = harness.submit("other").await;
    harness.wait_until_finished(&other).await;
    assert_eq!(reader.stats("one").started, 2);
    assert_eq!(harness.task(&ids[2]).await.status, CollectionTaskStatus::Queued);

    gate.add_permits(3);
    for id in &ids {
        harness.wait_until_finished(id).await;
    }
    assert_eq!(reader.stats("one").max_concurrent, 2);
    worker.stop().await;
}

#[tokio::test]
async fn hung_node_does_not_delay_other_nodes() {
    let reader = ScriptedReader::new([("hung", Script::Hang), ("healthy", Script::Rows(vec!["x\r\n"]))]);
    let settings = WorkerSettings {
        concurrency: 3,
        max_running_per_node: 2,
        grace: std::time::Duration::ZERO,
        ..WorkerSettings::default()
    };
    let harness = Harness::new(&["hung", "healthy"], settings, reader.clone()).await;
    let worker = harness.start_worker();
    for _ in 0..10 {
        harness.submit("hung").await;
    }
    wait_until("both reads of the hung node", || reader.stats("hung").running == 2).await;
    for _ in 0..10 {
        let id = harness.submit("healthy").await;
        harness.wait_until_finished(&id).await;
    }
    assert_eq!(reader.stats("hung").started, 2);
    worker.stop().await;
}

#[tokio::test]
async fn concurrent_collections_per_process_are_limited() {
    let gate = Arc::new(Semaphore::new(0));
    let hosts = ["a", "b", "c"];
    let reader = ScriptedReader::new(hosts.map(|host| (host, Script::Gate(gate.clone()))));
    let settings = WorkerSettings { concurrency: 1, ..WorkerSettings::default() };
    let harness = Harness::new(&hosts, settings, reader.clone()).await;
    let worker = harness.start_worker();
    let mut ids = Vec::new();
    for host in hosts {
        ids.push(harness.submit(host).await);
    }
    for (at, id) in ids.iter().enumerate() {
        wait_until("the next read", || reader.stats(hosts[at]).running == 1).await;
        assert_eq!(hosts.iter().map(|host| reader.stats(host).running).sum::<usize>(), 1);
        gate.add_permits(1);
        harness.wait_until_finished(id).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn full_queue_rejects_a_collection_with_its_limit() {
    let settings = WorkerSettings { max_queued_per_node: 2, ..WorkerSettings::default() };
    let harness = Harness::new(&["one", "other"], settings, ScriptedReader::new([])).await;
    harness.submit("one").await;
    harness.submit("one").await;
    let refused = harness.try_submit("one", SessionSelection::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::QueueFull { limit: 2, .. }), "{refused}");
    harness.submit("other").await;
}

#[tokio::test]
async fn threshold_defaults_to_the_instance_and_then_to_the_constant() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec![]))]);
    let harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    let threshold = |seconds| UnvalidatedSessionSelection {
        slow_process_threshold: Some(seconds),
        ..UnvalidatedSessionSelection::default()
    };
    let requested =
        SessionSelection::parse(UnvalidatedSessionSelection { user: Some("app".into()), ..threshold(3) }).unwrap();
    let worker = harness.start_worker();
    harness.wait_until_finished(&harness.submit("one").await).await;
    harness.sql("UPDATE instances SET slow_threshold = 7").await;
    harness.wait_until_finished(&harness.submit("one").await).await;
    harness.wait_until_finished(&harness.try_submit("one", requested.clone()).await.unwrap()).await;
    worker.stop().await;
    let of_instance = SessionSelection::parse(threshold(7)).unwrap();
    assert_eq!(reader.stats("one").selections, [SessionSelection::default(), of_instance, requested]);
}
