//! Sixty odd sessions through the API are what the command line shows of them, byte by byte but for what passes with time.

use std::process::Command;
use std::time::Duration;

use clew_client::{CollectionStatus, SelectionRequest, StreamTarget};
use clew_testkit::{Flavor, OddSessions, Server, ServerOptions};

use crate::harness::{CLEW, Home};

/// Records without the columns that pass with time: state_duration, transaction_duration, transaction_lock_wait_time.
fn lasting(csv: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    let lasts = |(column, cell): (usize, &str)| (![7, 8, 10].contains(&column)).then(|| cell.to_owned());
    reader.records().map(|record| record.unwrap().iter().enumerate().filter_map(lasts).collect()).collect()
}

async fn the_api_hands_over_what_the_command_line_shows(flavor: Flavor) {
    let server = Server::start(flavor, &ServerOptions::default()).await.unwrap();
    let odd = OddSessions::open(&server).await.unwrap();
    server.wait_until_alone().await.unwrap();
    let shown = Command::new(CLEW).args(["snapshot", &server.url()]).env("CLEW_DB_PASSWORD", "").output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    server.wait_until_alone().await.unwrap();

    let home = Home::new().await;
    let added = home.add_instance(&[&server.url()]);
    let serving = home.serve().await;
    let client = home.client(&serving);
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let id = client.collect(instance, node, &SelectionRequest::default()).await.unwrap();
    let status = client.wait(instance, node, &id, Duration::from_mins(1), |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    let mut target = StreamTarget::new(Vec::new());
    client.download(instance, node, &id, &mut target, |_, _| {}).await.unwrap();

    let (shown, collected) = (lasting(&shown.stdout), lasting(&target.into_inner()));
    assert_eq!(shown.len(), odd.truth.len() + 1, "{flavor}");
    for (shown, collected) in shown.iter().zip(&collected) {
        assert!(shown == collected, "{shown:.500?}\nis not\n{collected:.500?}");
    }
    assert_eq!(shown.len(), collected.len(), "{flavor}");
}

#[tokio::test]
async fn the_api_hands_over_what_the_command_line_shows_of_mariadb() {
    the_api_hands_over_what_the_command_line_shows(Flavor::MariaDb).await;
}

#[tokio::test]
async fn the_api_hands_over_what_the_command_line_shows_of_mysql() {
    the_api_hands_over_what_the_command_line_shows(Flavor::MySql).await;
}
