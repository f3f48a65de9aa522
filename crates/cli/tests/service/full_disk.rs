//! A result that cannot be written whole: the collection says why, nothing is left of it, and the next one that fits is kept.

use std::process::Command;
use std::time::Duration;

use clew_client::{Client, CollectionStatus, RequestId, SelectionRequest};
use clew_testkit::{FakeOptions, FakeServer, Fault};

use crate::harness::{Added, CLEW, Home};

/// `clew` that can write no file of more than 700 KiB: the system refuses as it does on a full disk. The rows of a collection
/// stay in memory up to 1 MiB, so that it is the result's file that meets the limit.
fn with_small_files() -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 700; exec \"$0\" \"$@\"", CLEW]).env_remove("TMPDIR");
    command
}

async fn ended(client: &Client, added: &Added, id: &RequestId) -> CollectionStatus {
    client.wait(&added.instance, &added.nodes[0], id, Duration::from_mins(1), |_, _| {}).await.unwrap()
}

/// The reason of a collection of all sessions, which fails.
async fn reason_of_failure(client: &Client, added: &Added, home: &Home) -> String {
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let id = client.collect(instance, node, &SelectionRequest::default()).await.unwrap();
    assert_eq!(ended(client, added, &id).await, CollectionStatus::Error, "{}", home.log());
    client.download_error_reason(instance, node, &id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_result_that_does_not_fit_is_told_and_leaves_nothing() {
    let fake = FakeServer::start(FakeOptions { sessions: 6000, transactions: 0, fault: Fault::None }).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let serving = home.serve_by(with_small_files).await;
    let client = home.client(&serving);
    let reason = reason_of_failure(&client, &added, &home).await;
    assert!(reason.contains("could not be stored") && reason.contains("File too large"), "{reason}");
    assert_eq!(std::fs::read_dir(home.dir().join("results")).unwrap().count(), 0);

    let few = SelectionRequest { host: Some("10.0.1.7".into()), ..SelectionRequest::default() };
    let id = client.collect(&added.instance, &added.nodes[0], &few).await.unwrap();
    assert_eq!(ended(&client, &added, &id).await, CollectionStatus::Finished, "{}", home.log());
    assert_eq!(std::fs::read_dir(home.dir().join("results")).unwrap().count(), 1);
}

#[tokio::test]
async fn rows_that_do_not_fit_are_spilled_beside_the_results_and_the_reason_names_the_folder() {
    // Far more than 1 MiB of rows.
    let fake = FakeServer::start(FakeOptions { sessions: 20_000, transactions: 0, fault: Fault::None }).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let serving = home.serve_by(with_small_files).await;
    let client = home.client(&serving);
    let reason = reason_of_failure(&client, &added, &home).await;
    let spill = home.dir().join("spill");
    let folder = format!("could not keep rows in the temporary folder {}: ", spill.display());
    assert!(reason.contains(&folder) && reason.contains("File too large"), "{reason}");
    for folder in [spill, home.dir().join("results")] {
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{}", folder.display());
    }
}
