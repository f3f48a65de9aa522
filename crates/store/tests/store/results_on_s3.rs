//! Stores results on an S3 server.

use std::io::Write;
use std::time::Duration;

use clew_model::RequestId;
use clew_store::{ResultStore, S3Settings, StoreError};
use clew_testkit::{FaultInjectionProxy, S3Server, TrafficMode};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::contract::results::{bytes, check_contract, publish, read_all, read_range, record, try_publish};

fn settings(server: &S3Server, location: &str, (key, secret): (&str, &str)) -> S3Settings {
    let endpoint = Some(server.endpoint());
    S3Settings::new(location, endpoint, "us-east-1".into(), key.into(), secret.into()).unwrap()
}

async fn results(server: &S3Server) -> ResultStore {
    ResultStore::connect_to_object_storage(&settings(server, "s3://results/of/clew", S3Server::ADMIN_CREDENTIALS))
        .await
        .unwrap()
}

/// Connects to the bucket directly, without the result store.
fn bucket(server: &S3Server) -> AmazonS3 {
    let (key, secret) = S3Server::ADMIN_CREDENTIALS;
    let builder = AmazonS3Builder::new().with_endpoint(server.endpoint()).with_allow_http(true);
    builder
        .with_bucket_name(S3Server::BUCKET_NAME)
        .with_region("us-east-1")
        .with_access_key_id(key)
        .with_secret_access_key(secret)
        .build()
        .unwrap()
}

fn path(name: &str) -> Path {
    Path::from(format!("of/clew/{name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_fulfil_the_result_contract_on_a_server() {
    let server = S3Server::start().await.unwrap();
    let results = results(&server).await;
    check_contract(&results).await;
    let left = bucket(&server).list_with_delimiter(Some(&Path::from("of/clew"))).await.unwrap();
    assert_eq!(left.objects.len(), 1, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_a_changed_object_fails_before_its_end_on_a_server() {
    let server = S3Server::start().await.unwrap();
    let results = results(&server).await;
    let mut written = bytes(1 << 20);
    let published = publish(&results, written.clone()).await;
    let record = record(&published);
    let opened = results.open_result(&record).await.unwrap();
    written[500_000] ^= 1;
    bucket(&server).put(&path(&published.name), written.into()).await.unwrap();
    // The result was opened before its object was replaced.
    assert!(opened.verify_content().await.is_err());
    let error = read_all(&results, &record).await.unwrap_err();
    assert!(error.contains("differs from the written data"), "{error}");
    let verified = results.open_result(&record).await.unwrap().verify_content().await;
    assert!(matches!(verified, Err(StoreError::ResultCorrupt { .. })), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn result_is_published_after_a_restart_of_s3_on_a_server() {
    let server = S3Server::start().await.unwrap();
    let proxy = FaultInjectionProxy::start(server.address()).await.unwrap();
    let (key, secret) = S3Server::ADMIN_CREDENTIALS;
    let endpoint = Some(format!("http://{}", proxy.address()));
    let settings = S3Settings::new("s3://results/of/clew", endpoint, "us-east-1".into(), key.into(), secret.into());
    let results = ResultStore::connect_to_object_storage(&settings.unwrap()).await.unwrap();
    proxy.set_traffic_mode(TrafficMode::Reset);
    let restarting = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        proxy.set_traffic_mode(TrafficMode::Forward);
    };
    let (published, ()) = tokio::join!(publish(&results, bytes(100)), restarting);
    assert_eq!(read_all(&results, &record(&published)).await.unwrap(), bytes(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn incomplete_upload_of_a_killed_worker_is_removed_on_a_server() {
    let server = S3Server::start().await.unwrap();
    let results = results(&server).await;
    let bucket = bucket(&server);
    let foreign = Path::from("of/clew/somebody-elses.csv");
    bucket.put(&foreign, "x".into()).await.unwrap();
    // The killed worker has neither completed nor aborted its upload.
    let writing = results.clone();
    let killed = tokio::task::spawn_blocking(move || {
        let mut writer = writing.create_writer(&RequestId::generate(), 1).unwrap();
        writer.write_all(&bytes(6 << 20)).unwrap();
        std::mem::forget(writer);
    });
    killed.await.unwrap();
    assert_eq!(results.collect_garbage(vec![], Duration::from_mins(10)).await.unwrap(), 0);
    assert_eq!(results.collect_garbage(vec![], Duration::ZERO).await.unwrap(), 1);
    assert_eq!(results.collect_garbage(vec![], Duration::ZERO).await.unwrap(), 0);
    bucket.head(&foreign).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_errors_have_remedies_on_a_server() {
    let mut server = S3Server::start().await.unwrap();
    for (location, keys, cause, remedy) in [
        ("s3://none/x", S3Server::ADMIN_CREDENTIALS, "no such bucket", "create the bucket"),
        ("s3://results/x", S3Server::READ_ONLY_CREDENTIALS, "access denied", "AWS_ACCESS_KEY_ID"),
        ("s3://results/x", (S3Server::ADMIN_CREDENTIALS.0, "wrong"), "access denied", "AWS_SECRET_ACCESS_KEY"),
    ] {
        let error =
            ResultStore::connect_to_object_storage(&settings(&server, location, keys)).await.unwrap_err().to_string();
        assert!(error.contains(location) && error.contains(cause) && error.contains(remedy), "{error}");
        assert!(!error.contains(keys.1), "{error}");
    }
    let results = results(&server).await;
    let published = publish(&results, bytes(100)).await;
    server.process.kill().unwrap();
    let errors = [
        ResultStore::connect_to_object_storage(&settings(&server, "s3://results/x", S3Server::ADMIN_CREDENTIALS))
            .await
            .unwrap_err()
            .to_string(),
        try_publish(&results, bytes(100)).await.unwrap_err(),
        read_range(&results, &record(&published), 0, 5).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.contains("cannot be reached") && error.contains("AWS_ENDPOINT_URL"), "{error}");
    }
}
