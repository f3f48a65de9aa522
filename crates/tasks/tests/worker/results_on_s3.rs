//! Collections whose results go to a real S3 server.

use clew_model::FailureKind;
use clew_store::{ResultStore, S3Settings, StoredResult};
use clew_tasks::Settings;
use clew_testkit::S3Server;

use crate::bench::Bench;
use crate::scripted::{Script, ScriptedReader};

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_s3_does_not_take_ends_with_the_reason_on_a_server() {
    let mut s3 = S3Server::start().await.unwrap();
    let (key, secret) = S3Server::OWNER;
    let place = format!("s3://{}/clew", S3Server::BUCKET);
    let settings = S3Settings::new(&place, Some(s3.endpoint()), "us-east-1".into(), key.into(), secret.into()).unwrap();
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let mut bench = Bench::new(&["one"], Settings::default(), reader.clone()).await;
    bench.store = bench.store.clone().with_results(ResultStore::s3(&settings).await.unwrap());
    bench.with(Settings::default(), reader);
    let worker = bench.work();

    let id = bench.submit("one").await;
    let record = bench.finished(&id).await.result.unwrap();
    assert!(matches!(bench.store.results().open(&record).await.unwrap(), StoredResult::Object(_)));
    assert!(bench.files().is_empty());

    s3.kill().unwrap();
    let id = bench.submit("one").await;
    let failure = bench.ended(&id).await.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::StoreFailed);
    assert!(failure.detail.contains(&place) && failure.detail.contains("cannot be reached"), "{failure}");
    worker.stop().await;
}
