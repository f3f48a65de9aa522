//! The API and `clew snapshot` return identical results, except for durations.

use std::process::Command;
use std::time::Duration;

use clew_client::{CollectionStatus, StartCollectionRequest, StreamSink};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor, PredefinedSessions};
use rstest::rstest;

use crate::harness::{CLEW, Home};

/// Parses CSV records, and removes the columns state_duration, transaction_duration and transaction_lock_wait_time.
fn without_durations(csv: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    let lasts = |(column, cell): (usize, &str)| (![7, 8, 10].contains(&column)).then(|| cell.to_owned());
    reader.records().map(|record| record.unwrap().iter().enumerate().filter_map(lasts).collect()).collect()
}

#[rstest]
#[tokio::test]
async fn api_result_equals_command_line_snapshot(#[values(Flavor::MariaDb, Flavor::MySql)] flavor: Flavor) {
    let server = DatabaseServer::start(flavor, &DatabaseServerOptions::default()).await.unwrap();
    let odd = PredefinedSessions::open(&server).await.unwrap();
    server.wait_until_other_root_sessions_end().await.unwrap();
    let shown = Command::new(CLEW).args(["snapshot", &server.url()]).env("CLEW_DB_PASSWORD", "").output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    server.wait_until_other_root_sessions_end().await.unwrap();

    let home = Home::new().await;
    let added = home.add_instance(&[&server.url()]);
    let serving = home.serve().await;
    let client = home.client(&serving);
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let id = client.start_collection(instance, node, &StartCollectionRequest::default()).await.unwrap();
    let status = client.wait_for_collection_task(instance, node, &id, Duration::from_mins(1), |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    let mut target = StreamSink::new(Vec::new());
    client.download(instance, node, &id, &mut target, |_, _| {}).await.unwrap();

    let (shown, collected) = (without_durations(&shown.stdout), without_durations(&target.into_inner()));
    assert_eq!(shown.len(), odd.expected.len() + 1, "{flavor}");
    for (shown, collected) in shown.iter().zip(&collected) {
        assert!(shown == collected, "{shown:.500?}\nis not\n{collected:.500?}");
    }
    assert_eq!(shown.len(), collected.len(), "{flavor}");
}
