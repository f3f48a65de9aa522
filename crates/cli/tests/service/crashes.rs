//! `kill -9` at any moment: every collection ends, what is finished downloads whole, no partial file is ever served.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clew_client::{Client, ClientError, CollectionStatus, RequestId, SelectionRequest, StreamTarget};
use clew_testkit::{FakeOptions, FakeServer, Fault};

use crate::harness::{Added, Home};

const ROWS: u64 = 10_000;
/// For every collection to end after a restart.
const LIMIT: Duration = Duration::from_mins(1);

/// Twenty moments spread over what a collection takes, from before it starts to after it has ended, in no order.
fn moments() -> impl Iterator<Item = Duration> {
    (0..20_u64).map(|round| Duration::from_millis((round * 7919 + 13) % 400))
}

async fn download(client: &Client, added: &Added, id: &RequestId) -> Result<(Vec<u8>, Option<String>), ClientError> {
    let mut target = StreamTarget::new(Vec::new());
    let downloaded = client.download(&added.instance, &added.nodes[0], id, &mut target, |_, _| {}).await?;
    Ok((target.into_inner(), downloaded.etag))
}

#[tokio::test]
async fn killed_at_twenty_moments_every_collection_ends_and_no_partial_file_is_served() {
    let fake = FakeServer::start(FakeOptions { sessions: ROWS, transactions: 0, fault: Fault::None }).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&fake.url()]);
    let mut etags: HashMap<RequestId, String> = HashMap::new();
    let mut all: Vec<RequestId> = Vec::new();
    let mut whole = None;
    let mut interrupted = 0;
    for moment in moments() {
        let mut serving = home.serve().await;
        let client = home.client(&serving);
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(client.collect(&added.instance, &added.nodes[0], &SelectionRequest::default()).await.unwrap());
        }
        tokio::time::sleep(moment).await;
        serving.kill();

        let serving = home.serve().await;
        let client = home.client(&serving);
        let restarted = Instant::now();
        for id in &ids {
            let mut waited = false;
            loop {
                match client.task_status(&added.instance, &added.nodes[0], id).await.unwrap() {
                    CollectionStatus::Running => waited = true,
                    CollectionStatus::Finished => break,
                    status => panic!("{id} is {status:?} after a kill at {moment:?}\n{}", home.log()),
                }
                assert!(restarted.elapsed() < LIMIT, "{id} still runs {LIMIT:?} after a kill at {moment:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            interrupted += usize::from(waited);
        }
        all.extend(ids);
        for id in &all[all.len().saturating_sub(8)..] {
            let (bytes, etag) = download(&client, &added, id).await.unwrap();
            let lines = bytes.split(|&byte| byte == b'\n').count() as u64 - 1;
            assert_eq!(lines, ROWS + 1, "{id} after a kill at {moment:?}");
            assert_eq!(*whole.get_or_insert_with(|| bytes.clone()), bytes, "{id} differs after a kill at {moment:?}");
            let etag = etag.unwrap();
            assert_eq!(*etags.entry(id.clone()).or_insert_with(|| etag.clone()), etag, "ETag of {id} changed");
        }
    }
    assert!(interrupted > 0, "no kill met a collection at work: the moments are too late");
    let serving = home.serve().await;
    let client = home.client(&serving);
    for id in &all {
        let (bytes, _) = download(&client, &added, id).await.unwrap();
        assert!(Some(bytes) == whole, "{id} is not what it was");
    }
}
