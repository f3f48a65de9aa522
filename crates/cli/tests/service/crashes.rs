//! Crashes at any time: every collection completes, finished results are complete, and no partial file is served.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clew_client::{Client, ClientError, CollectionStatus, RequestId, StartCollectionRequest, StreamSink};
use clew_testkit::{FakeServer, FakeServerOptions, Fault};

use crate::harness::{Home, RegisteredInstance};

const ROWS: u64 = 10_000;
/// Timeout for all collections to complete after a restart.
const COMPLETION_TIMEOUT: Duration = Duration::from_mins(1);

/// Returns twenty crash delays in irregular order, from before the start to after the end of a collection.
fn crash_delays() -> impl Iterator<Item = Duration> {
    (0..20_u64).map(|round| Duration::from_millis((round * 7919 + 13) % 400))
}

async fn download(
    client: &Client,
    added: &RegisteredInstance,
    id: &RequestId,
) -> Result<(Vec<u8>, Option<String>), ClientError> {
    let mut target = StreamSink::new(Vec::new());
    let downloaded = client.download(&added.instance, &added.nodes[0], id, &mut target, |_, _| {}).await?;
    Ok((target.into_inner(), downloaded.etag))
}

#[tokio::test]
async fn collections_survive_twenty_crashes_without_partial_results() {
    let fake =
        FakeServer::start(FakeServerOptions { sessions: ROWS, transactions: 0, fault: Fault::None }).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let mut etags: HashMap<RequestId, String> = HashMap::new();
    let mut all: Vec<RequestId> = Vec::new();
    let mut expected = None;
    let mut interrupted = 0;
    for delay in crash_delays() {
        let mut serving = home.serve().await;
        let client = home.client(&serving);
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(
                client
                    .start_collection(&added.instance, &added.nodes[0], &StartCollectionRequest::default())
                    .await
                    .unwrap(),
            );
        }
        tokio::time::sleep(delay).await;
        serving.kill();

        let serving = home.serve().await;
        let client = home.client(&serving);
        let restarted = Instant::now();
        for id in &ids {
            let mut waited = false;
            loop {
                match client.fetch_collection_status(&added.instance, &added.nodes[0], id).await.unwrap() {
                    CollectionStatus::Running => waited = true,
                    CollectionStatus::Finished => break,
                    status => panic!("{id} is {status:?} after a kill at {delay:?}\n{}", home.log()),
                }
                let timeout = COMPLETION_TIMEOUT;
                assert!(restarted.elapsed() < timeout, "{id} still runs {timeout:?} after a kill at {delay:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            interrupted += usize::from(waited);
        }
        all.extend(ids);
        for id in &all[all.len().saturating_sub(8)..] {
            let (bytes, etag) = download(&client, &added, id).await.unwrap();
            let lines = bytes.split(|&byte| byte == b'\n').count() as u64 - 1;
            assert_eq!(lines, ROWS + 1, "{id} after a kill at {delay:?}");
            assert_eq!(*expected.get_or_insert_with(|| bytes.clone()), bytes, "{id} differs after a kill at {delay:?}");
            let etag = etag.unwrap();
            assert_eq!(*etags.entry(id.clone()).or_insert_with(|| etag.clone()), etag, "ETag of {id} changed");
        }
    }
    assert!(interrupted > 0, "no kill met a collection at work: the moments are too late");
    let serving = home.serve().await;
    let client = home.client(&serving);
    for id in &all {
        let (bytes, _) = download(&client, &added, id).await.unwrap();
        assert!(Some(bytes) == expected, "{id} has a different result after the crash");
    }
}
