//! Collections from a hung node fail with the reason, and do not delay other collections.

use std::time::{Duration, Instant};

use clew_client::{CollectionStatus, StartCollectionRequest};
use clew_testkit::{DatabaseServer, DatabaseServerOptions, Flavor};
use mysql_async::prelude::Queryable;

use crate::harness::Home;

#[tokio::test]
async fn hung_node_fails_with_reason_and_does_not_delay_others() {
    let hung = DatabaseServer::start(Flavor::MySql, &DatabaseServerOptions::default()).await.unwrap();
    let healthy = DatabaseServer::start(Flavor::MariaDb, &DatabaseServerOptions::default()).await.unwrap();
    let home = Home::new().await;
    let added = home.add_instance(&[&hung.url(), &healthy.url()]);
    let serving = home.serve().await;
    let client = home.client(&serving);
    let (instance, selection) = (&added.instance, StartCollectionRequest::default());

    hung.process.pause().unwrap();
    let start = Instant::now();
    let mut stuck = Vec::new();
    for _ in 0..4 {
        stuck.push(client.start_collection(instance, &added.nodes[0], &selection).await.unwrap());
    }
    let limit = Duration::from_mins(1);
    for _ in 0..3 {
        let id = client.start_collection(instance, &added.nodes[1], &selection).await.unwrap();
        let status = client.wait_for_collection_task(instance, &added.nodes[1], &id, limit, |_, _| {}).await.unwrap();
        assert_eq!(status, CollectionStatus::Finished);
        // The first collection from the hung node still runs, so no other collection waited for it.
        let status = client.fetch_collection_status(instance, &added.nodes[0], &stuck[0]).await.unwrap();
        assert_eq!(status, CollectionStatus::Running, "after {:?}", start.elapsed());
    }
    for id in &stuck {
        let status = client.wait_for_collection_task(instance, &added.nodes[0], id, limit, |_, _| {}).await.unwrap();
        assert_eq!(status, CollectionStatus::Error, "{}", home.log());
        let reason = client.fetch_collection_failure_reason(instance, &added.nodes[0], id).await.unwrap().unwrap();
        assert!(reason.contains("did not respond in time"), "{reason}");
    }

    hung.process.resume().unwrap();
    let id = client.start_collection(instance, &added.nodes[0], &selection).await.unwrap();
    let status = client.wait_for_collection_task(instance, &added.nodes[0], &id, limit, |_, _| {}).await.unwrap();
    assert_eq!(status, CollectionStatus::Finished, "{}", home.log());
    let mut connection = hung.connect_as_root().await.unwrap();
    let others = "SELECT COUNT(*) FROM performance_schema.threads WHERE type = 'FOREGROUND' AND processlist_user = 'root' \
         AND processlist_id <> CONNECTION_ID()";
    let mut left = 1;
    for _ in 0..100 {
        left = connection.query_first::<u64, _>(others).await.unwrap().unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(left, 0, "Clew left sessions behind on the node that hung");
    connection.disconnect().await.unwrap();
}
