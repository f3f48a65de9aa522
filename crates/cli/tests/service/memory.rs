//! Memory stays bounded for 10,000 real and 100,000 simulated sessions.

use std::time::Duration;

use clew_client::{CollectionStatus, StartCollectionRequest, StreamSink};
use clew_testkit::{
    DatabaseServer, DatabaseServerOptions, FakeServer, FakeServerOptions, Fault, Flavor, RogueAttack, RogueServer,
    open_idle_sessions,
};

use crate::harness::Home;

/// Returns the number of rows in the result, and the peak memory of the server in KiB.
async fn collect_and_download(url: &str) -> (usize, u64) {
    let home = Home::new().await;
    let added = home.add_instance(&[url]);
    let serving = home.serve().await;
    let client = home.client(&serving);
    let (instance, node) = (&added.instance, &added.nodes[0]);
    let id = client.start_collection(instance, node, &StartCollectionRequest::default()).await.unwrap();
    let status = client.wait_for_collection_task(instance, node, &id, Duration::from_mins(1), |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    let mut target = StreamSink::new(Vec::new());
    client.download(instance, node, &id, &mut target, |_, _| {}).await.unwrap();
    let bytes = target.into_inner();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    (reader.records().map(Result::unwrap).count(), serving.peak_kib())
}

#[tokio::test]
async fn memory_stays_bounded_for_100_000_sessions() {
    const MAX_PEAK_KIB: u64 = 64 * 1024;
    const MAX_GROWTH_KIB: u64 = 8 * 1024;
    let mut largest = 0;
    for flavor in Flavor::ALL {
        let options = DatabaseServerOptions { max_connections: 10_100, ..DatabaseServerOptions::default() };
        let server = DatabaseServer::start(flavor, &options).await.unwrap();
        let sessions = open_idle_sessions(&server, 10_000).await.unwrap();
        let (rows, peak) = collect_and_download(&server.url()).await;
        assert_eq!(rows, sessions.sessions.len(), "{flavor}");
        assert!(peak < MAX_PEAK_KIB, "{flavor}: {peak} KiB");
        println!("{flavor}: {rows} real sessions, peak {peak} KiB");
        largest = largest.max(peak);
    }
    // Simulated sessions are busy, so their ages are checked.
    for sessions in [10_000, 100_000] {
        let options = FakeServerOptions { sessions, transactions: 0, fault: Fault::None };
        let fake = FakeServer::start(options).await.unwrap();
        let (rows, peak) = collect_and_download(&fake.url()).await;
        assert_eq!(rows as u64, sessions);
        assert!(peak < MAX_PEAK_KIB, "fake: {peak} KiB");
        println!("fake: {rows} sessions, peak {peak} KiB");
        if sessions == 10_000 {
            largest = largest.max(peak);
        }
        assert!(peak < largest + MAX_GROWTH_KIB, "{peak} KiB for 100,000 sessions, {largest} KiB for 10,000");
    }
}

#[tokio::test]
async fn memory_stays_bounded_for_a_statement_of_200_mib() {
    const MAX_PEAK_KIB: u64 = 256 * 1024;
    let rogue = RogueServer::start(RogueAttack::HugePacket { bytes: 200 << 20 }).await.unwrap();
    let (rows, peak) = collect_and_download(&rogue.url_for_account("clew", "", "tls=off")).await;
    assert_eq!(rows, 1);
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}
