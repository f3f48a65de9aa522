//! If a result cannot be written, the collection reports the reason and leaves no file. Later collections succeed.

use std::process::Command;
use std::time::Duration;

use clew_client::{Client, CollectionStatus, RequestId, StartCollectionRequest};
use clew_testkit::{FakeServer, FakeServerOptions, Fault};

use crate::harness::{CLEW, Home, RegisteredInstance};

/// Command `clew` with a file size limit of 700 KiB, which fails like a full disk.
/// Rows up to 1 MiB stay in memory, so the result file is the first to exceed the limit.
fn clew_with_file_size_limit() -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 700; exec \"$0\" \"$@\"", CLEW]).env_remove("TMPDIR");
    command
}

async fn wait_for_status(client: &Client, added: &RegisteredInstance, id: &RequestId) -> CollectionStatus {
    client
        .wait_for_collection_task(&added.instance, &added.nodes[0], id, Duration::from_mins(1), |_, _| {})
        .await
        .unwrap()
}

/// Runs a collection that must fail. Returns the failure reason.
async fn collect_and_return_failure_reason(client: &Client, added: &RegisteredInstance, home: &Home) -> String {
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let id = client.start_collection(instance, node, &StartCollectionRequest::default()).await.unwrap();
    assert_eq!(wait_for_status(client, added, &id).await, CollectionStatus::Error, "{}", home.log());
    client.fetch_collection_failure_reason(instance, node, &id).await.unwrap().unwrap()
}

#[tokio::test]
async fn result_write_failure_is_reported_and_leaves_no_file() {
    let fake =
        FakeServer::start(FakeServerOptions { sessions: 6000, transactions: 0, fault: Fault::None }).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let serving = home.serve_with_command(clew_with_file_size_limit).await;
    let client = home.client(&serving);
    let reason = collect_and_return_failure_reason(&client, &added, &home).await;
    assert!(reason.contains("Storage error") && reason.contains("File too large"), "{reason}");
    assert_eq!(std::fs::read_dir(home.dir().join("results")).unwrap().count(), 0);

    let few = StartCollectionRequest { host: Some("10.0.1.7".into()), ..StartCollectionRequest::default() };
    let id = client.start_collection(&added.instance, &added.nodes[0], &few).await.unwrap();
    assert_eq!(wait_for_status(&client, &added, &id).await, CollectionStatus::Finished, "{}", home.log());
    assert_eq!(std::fs::read_dir(home.dir().join("results")).unwrap().count(), 1);
}

#[tokio::test]
async fn spill_write_failure_is_reported_with_the_spill_directory() {
    // The rows exceed 1 MiB by far.
    let fake =
        FakeServer::start(FakeServerOptions { sessions: 20_000, transactions: 0, fault: Fault::None }).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let serving = home.serve_with_command(clew_with_file_size_limit).await;
    let client = home.client(&serving);
    let reason = collect_and_return_failure_reason(&client, &added, &home).await;
    let spill = home.dir().join("spill");
    let folder = format!("cannot store rows in the temporary directory {}: ", spill.display());
    assert!(reason.contains(&folder) && reason.contains("File too large"), "{reason}");
    for folder in [spill, home.dir().join("results")] {
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{}", folder.display());
    }
}
