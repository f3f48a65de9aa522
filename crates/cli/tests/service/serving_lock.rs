//! The serving lock allows one server per data directory.

use std::time::Duration;

use clew_client::{CollectionStatus, StartCollectionRequest};
use clew_testkit::{FakeServer, FakeServerOptions};

use crate::harness::{CLEW, Home};

#[tokio::test]
async fn second_server_on_a_data_directory_is_rejected() {
    let fake = FakeServer::start(FakeServerOptions::default()).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let serving = home.serve().await;
    let second = tokio::process::Command::new(CLEW)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(home.dir())
        .output();
    let second = tokio::time::timeout(Duration::from_secs(20), second).await.unwrap().unwrap();
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    let output_text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        output_text.contains("another process is serving or initializing") && output_text.contains("fix: "),
        "{output_text}"
    );
    let client = home.client(&serving);
    let id =
        client.start_collection(&added.instance, &added.nodes[0], &StartCollectionRequest::default()).await.unwrap();
    let limit = Duration::from_mins(1);
    let status =
        client.wait_for_collection_task(&added.instance, &added.nodes[0], &id, limit, |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished);
}
