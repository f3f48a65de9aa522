//! A store that fails for a while: nothing is lost, nothing ends for that alone, and no file that a task may name is removed.

use std::time::Duration;

use clew_model::TaskStatus;
use clew_tasks::Settings;

use crate::bench::{Bench, Told, eventually, until};
use crate::notices::Notices;
use crate::scripted::{Script, ScriptedReader};

/// The database refuses to record an end, as on a full disk.
const REFUSE: &str = "CREATE TRIGGER refuse BEFORE UPDATE ON tasks WHEN NEW.status = 'finished' \
                      BEGIN SELECT RAISE(ABORT, 'disk full'); END";
/// The end is recorded, though the worker was told that it is not.
const RECORD: &str = "BEGIN IMMEDIATE; DROP TRIGGER refuse; \
                      UPDATE tasks SET status = 'finished', result_name = request_id || '.1.csv', result_rows = 1, \
                          result_bytes = 3, result_sha256 = 'unused', ended_at = 1, lease_until = NULL; COMMIT";
const ALLOW: &str = "DROP TRIGGER refuse";

#[tokio::test]
async fn a_node_is_looked_up_again_where_the_store_fails_for_a_moment() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    let id = bench.submit("one").await;
    bench.sql("ALTER TABLE nodes RENAME TO away").await;
    let worker = bench.work();
    eventually("an attempt", async || (bench.task(&id).await.attempts == 1).then_some(())).await;
    // Long enough for a look-up that fails to end it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.sql("ALTER TABLE away RENAME TO nodes").await;
    assert_eq!(bench.body(&id).await, "x\r\n");
    worker.stop().await;
    assert_eq!((bench.task(&id).await.attempts, reader.seen("one").started), (1, 1));
}

#[tokio::test]
async fn a_store_that_does_not_know_the_node_for_as_long_as_a_lease_ends_it_with_the_reason() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let settings = Settings { lease: Duration::from_millis(500), ..Settings::default() };
    let bench = Bench::new(&["one"], settings, reader).await;
    let id = bench.submit("one").await;
    bench.sql("ALTER TABLE nodes RENAME TO away").await;
    let worker = bench.work();
    let ended = async || Some(bench.task(&id).await).filter(|task| task.status == TaskStatus::Error);
    let failure = eventually("an end", ended).await.failure.unwrap();
    assert!(failure.detail.starts_with("could not look up node "), "{failure}");
    worker.stop().await;
}

#[tokio::test]
async fn an_end_is_recorded_once_the_store_takes_it() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    bench.sql(REFUSE).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("a result", || bench.files().iter().any(|name| name.ends_with(".1.csv"))).await;
    assert_eq!(bench.task(&id).await.status, TaskStatus::Running);
    bench.sql(ALLOW).await;
    assert_eq!(bench.body(&id).await, "x\r\n");
    worker.stop().await;
    assert_eq!((bench.task(&id).await.attempts, reader.seen("one").started), (1, 1));
    assert_eq!(bench.told(), [Told::Collected(1)]);
}

#[tokio::test]
async fn an_end_that_was_never_taken_is_come_to_again() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let settings = Settings { lease: Duration::from_millis(500), max_attempts: 1000, ..Settings::default() };
    let bench = Bench::new(&["one"], settings, reader).await;
    bench.sql(REFUSE).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    eventually("a second attempt", async || (bench.task(&id).await.attempts > 1).then_some(())).await;
    bench.sql(ALLOW).await;
    assert_eq!(bench.body(&id).await, "x\r\n");
    worker.stop().await;
    assert_eq!(bench.told(), [Told::Collected(1)]);
}

#[tokio::test]
async fn an_end_that_was_recorded_after_all_keeps_its_file() {
    let notices = Notices::default();
    let _listening = tracing::subscriber::set_default(notices.clone());
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader).await;
    bench.sql(REFUSE).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    until("a refusal", || notices.have("could not record the end of a collection yet")).await;
    bench.sql(RECORD).await;
    // Stopping waits for the worker to come to terms with it.
    worker.stop().await;
    let task = bench.task(&id).await;
    assert_eq!(bench.files(), [task.result.unwrap().name]);
    assert!(bench.told().is_empty());
}
