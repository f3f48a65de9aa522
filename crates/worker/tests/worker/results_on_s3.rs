//! Collections with results on an S3 server.

use clew_model::FailureKind;
use clew_store::{ResultStore, S3Settings, StoredResult};
use clew_testkit::S3Server;
use clew_worker::WorkerSettings;

use crate::harness::Harness;
use crate::scripted_reader::{Script, ScriptedReader};

#[tokio::test(flavor = "multi_thread")]
async fn collection_fails_with_the_reason_if_s3_is_down_on_a_server() {
    let mut s3 = S3Server::start().await.unwrap();
    let (key, secret) = S3Server::ADMIN_CREDENTIALS;
    let location = format!("s3://{}/clew", S3Server::BUCKET_NAME);
    let settings =
        S3Settings::new(&location, Some(s3.endpoint()), "us-east-1".into(), key.into(), secret.into()).unwrap();
    let reader = ScriptedReader::new([("one", Script::Rows(vec!["x\r\n"]))]);
    let mut harness = Harness::new(&["one"], WorkerSettings::default(), reader.clone()).await;
    harness.store =
        harness.store.clone().with_result_store(ResultStore::connect_to_object_storage(&settings).await.unwrap());
    harness.replace(WorkerSettings::default(), reader);
    let worker = harness.start_worker();

    let id = harness.submit("one").await;
    let record = harness.wait_until_finished(&id).await.result.unwrap();
    assert!(matches!(harness.store.result_store().open_result(&record).await.unwrap(), StoredResult::Object(_)));
    assert!(harness.files().is_empty());

    s3.process.kill().unwrap();
    let id = harness.submit("one").await;
    let failure = harness.wait_until_ended(&id).await.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::StoreFailed);
    assert!(failure.detail.contains(&location) && failure.detail.contains("cannot be reached"), "{failure}");
    worker.stop().await;
}
