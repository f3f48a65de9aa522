//! What is over is removed, row and file; what is not stays.

use std::time::Duration;

use clew_tasks::Settings;

use crate::bench::{Bench, eventually};
use crate::scripted::{Script, ScriptedReader};

#[tokio::test]
async fn an_old_collection_goes_with_its_file_and_a_young_one_stays() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let mut bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    bench.finished(&id).await;
    worker.stop().await;

    // It looks at what is old before it takes anything up.
    let worker = bench.work();
    let second = bench.submit("one").await;
    bench.finished(&second).await;
    worker.stop().await;
    assert_eq!(bench.files().len(), 2);

    tokio::time::sleep(Duration::from_millis(5)).await;
    bench.with(Settings { retention: Duration::ZERO, ..Settings::default() }, reader);
    let worker = bench.work();
    eventually("the rows go", async || bench.store.task(&id).await.unwrap().is_none().then_some(())).await;
    eventually("the files go", async || bench.files().is_empty().then_some(())).await;
    worker.stop().await;
    assert!(bench.store.task(&second).await.unwrap().is_none());
}

#[tokio::test]
async fn old_rows_of_the_audit_go_and_what_stays_holds_together() {
    let settings = Settings { audit_retention: Duration::ZERO, ..Settings::default() };
    let bench = Bench::new(&["one"], settings, ScriptedReader::new([])).await;
    let first = async || bench.store.verify_audit(&[]).await.unwrap().first;
    assert_eq!(first().await, Some(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let worker = bench.work();
    eventually("the first rows go", async || (first().await > Some(1)).then_some(())).await;
    worker.stop().await;
    let audit = bench.store.verify_audit(&[]).await.unwrap();
    assert!(audit.is_sound() && audit.rows > 0, "{audit:?}: the removal itself is written down");
}

#[tokio::test]
async fn files_that_no_collection_names_are_swept_once_they_are_old() {
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let bench = Bench::new(&["one"], Settings::default(), reader).await;
    let worker = bench.work();
    let id = bench.submit("one").await;
    let name = bench.finished(&id).await.result.unwrap().name;
    worker.stop().await;
    let path = |name: &str| bench.results_folder().join(name);
    let (old, young) = (name.replace(".1.", ".7."), name.replace(".1.", ".8."));
    for orphan in [&old, &young] {
        std::fs::write(path(orphan), "nobody's").unwrap();
    }
    let an_hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    for aged in [&name, &old] {
        std::fs::File::options().write(true).open(path(aged)).unwrap().set_modified(an_hour_ago).unwrap();
    }

    let worker = bench.work();
    eventually("the old orphan goes", async || (!path(&old).exists()).then_some(())).await;
    worker.stop().await;
    assert!(path(&young).exists() && path(&name).exists());
}
