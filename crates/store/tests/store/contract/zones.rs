//! Zones: task claims by a process, and active workers.

use std::time::Duration;

use clew_model::{CollectionTaskStatus, FailureKind, InstanceId, NetworkZone, NewInstance, NodeId};
use clew_store::{InstanceKillTasks, NewSessionCollectionTask, Store, ZoneState};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, claim, new_instance, origin};

const LEASE: Duration = Duration::from_secs(10);

fn zone(name: &str) -> NetworkZone {
    name.parse().unwrap()
}

impl Fixture {
    /// Adds an instance with one node per given zone. An empty name stands for no zone.
    async fn add_instance_in_zones(&self, name: &str, zones: &[&str]) -> (InstanceId, Vec<NodeId>) {
        let urls: Vec<_> = zones.iter().map(|_| "mysql://u:p@h/").collect();
        let mut new: NewInstance = new_instance(&self.initial_ids.project_id, name, &urls);
        for (node, name) in new.nodes.iter_mut().zip(zones) {
            node.zone = (!name.is_empty()).then(|| zone(name));
        }
        let added = self.store.instances().add_instance(&origin(), new).await.unwrap();
        let stored: Vec<_> =
            added.nodes.iter().map(|node| node.zone.as_ref().map_or("", NetworkZone::as_str)).collect();
        assert_eq!(stored, zones);
        (added.id, added.nodes.into_iter().map(|node| node.id).collect())
    }

    async fn queue_task(&self, node: &NodeId) -> NewSessionCollectionTask {
        let task = self.new_task(node);
        self.store.tasks().enqueue_task(&task, 9).await.unwrap();
        task
    }

    fn store_in_zones(&self, zones: &[&str]) -> Store {
        self.store.clone().with_reachable_zones(zones.iter().map(|name| zone(name)).collect())
    }
}

async fn next(store: &Store) -> Option<NodeId> {
    claim(store, LEASE, 9).await.unwrap().map(|claimed| claimed.task.request.node_id)
}

#[rstest]
#[tokio::test]
async fn tasks_of_a_node_are_claimed_in_its_zone_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (_, nodes) = fixture.add_instance_in_zones("shop", &["", "dmz", "dmz-2"]).await;
    for node in [&nodes[1], &nodes[2], &nodes[0], &nodes[1]] {
        fixture.queue_task(node).await;
    }
    let (none, first, both) =
        (fixture.store_in_zones(&[]), fixture.store_in_zones(&["dmz"]), fixture.store_in_zones(&["dmz-2", "dmz"]));
    assert!(
        none.is_zone_reachable(None) && first.is_zone_reachable(None) && first.is_zone_reachable(Some(&zone("dmz")))
    );
    assert!(!none.is_zone_reachable(Some(&zone("dmz"))) && !first.is_zone_reachable(Some(&zone("dmz-2"))));
    assert_eq!(next(&none).await.as_ref(), Some(&nodes[0]));
    assert_eq!(next(&none).await, None, "the other nodes have zones");
    assert_eq!(next(&first).await.as_ref(), Some(&nodes[1]), "in turn");
    assert_eq!(next(&both).await.as_ref(), Some(&nodes[2]), "tasks of all zones in order");
    assert_eq!(next(&both).await.as_ref(), Some(&nodes[1]));
    // Only workers of the zone claim tasks with expired leases.
    fixture.advance_clock(10_000);
    assert_eq!(next(&none).await.as_ref(), Some(&nodes[0]));
    assert_eq!(next(&none).await, None);
    let lapsed = [next(&first).await, next(&first).await, next(&first).await];
    assert_eq!(lapsed, [Some(nodes[1].clone()), Some(nodes[1].clone()), None]);
    assert_eq!(next(&both).await.as_ref(), Some(&nodes[2]));
}

#[rstest]
#[tokio::test]
async fn kill_tasks_respect_zones(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (instance, nodes) = fixture.add_instance_in_zones("shop", &["dmz", ""]).await;
    let project = &fixture.initial_ids.project_id;
    assert!(fixture.store.kill_tasks().set_kill_tasks_enabled(&origin(), project, &instance, true).await.unwrap());
    let task = crate::contract::kill_tasks::task(None);
    fixture.store.kill_tasks().add_kill_task(&origin(), project, &instance, &task).await.unwrap().unwrap();
    let rounds = async |store: Store| -> Vec<InstanceKillTasks> {
        store.kill_tasks().list_instances_with_kill_tasks().await.unwrap()
    };
    assert!(rounds(fixture.store_in_zones(&[])).await.is_empty(), "one node is not reachable");
    assert_eq!(rounds(fixture.store_in_zones(&["dmz"])).await[0].instance_id, instance);
    let kill = fixture.intelligent_kill(&instance, &nodes[0]);
    let id = fixture.store.kills().insert_intelligent_kill(&kill, 9).await.unwrap();
    let (lease, fresh) = (Duration::from_mins(1), Duration::from_mins(1));
    assert!(fixture.store_in_zones(&["other"]).kills().claim_intelligent_kill(lease, fresh).await.unwrap().is_none());
    let claimed = fixture.store_in_zones(&["dmz"]).kills().claim_intelligent_kill(lease, fresh).await.unwrap();
    assert_eq!(claimed.unwrap().id, id);
}

#[rstest]
#[tokio::test]
async fn tasks_of_zones_without_workers_fail(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (_, nodes) = fixture.add_instance_in_zones("shop", &["", "dmz"]).await;
    let state = |zone: Option<NetworkZone>, nodes, workers| ZoneState { zone, nodes, workers };
    let dmz = || Some(zone("dmz"));
    let queued = fixture.queue_task(&nodes[1]).await;
    let anywhere = fixture.queue_task(&nodes[0]).await;
    assert_eq!(fixture.store.zones().list_zone_states().await.unwrap(), [state(None, 1, 0), state(dmz(), 1, 0)]);
    fixture.store_in_zones(&["dmz"]).zones().record_worker_heartbeat("one").await.unwrap();
    fixture.store_in_zones(&["dmz", "other"]).zones().record_worker_heartbeat("two").await.unwrap();
    let all = fixture.store.zones().list_zone_states().await.unwrap();
    assert_eq!(all, [state(None, 1, 2), state(dmz(), 1, 2), state(Some(zone("other")), 0, 1)]);
    assert!(!all.iter().any(ZoneState::lacks_workers));
    fixture.store.zones().remove_worker("one").await.unwrap();
    fixture.advance_clock(19_999);
    assert_eq!(fixture.store.zones().list_zone_states().await.unwrap()[1], state(dmz(), 1, 1));
    let minute = Duration::from_mins(1);
    fixture.advance_clock(60_000);
    fixture.store_in_zones(&["other"]).zones().record_worker_heartbeat("three").await.unwrap();
    assert!(fixture.store.zones().list_zone_states().await.unwrap()[1].lacks_workers(), "its heartbeat has expired");
    assert_eq!(
        fixture.store.zones().fail_tasks_in_zones_without_workers(Duration::from_mins(2)).await.unwrap(),
        0,
        "it was queued for too short a time"
    );
    assert_eq!(fixture.store.zones().fail_tasks_in_zones_without_workers(minute).await.unwrap(), 1);
    let ended = fixture.store.tasks().find_task(&queued.request_id).await.unwrap().unwrap();
    let failure = ended.failure.unwrap();
    assert_eq!((ended.status, failure.kind), (CollectionTaskStatus::Error, FailureKind::Unreachable));
    assert!(failure.detail.contains("zone dmz"), "{failure}");
    let status = fixture.store.tasks().find_task(&anywhere.request_id).await.unwrap().unwrap().status;
    assert_eq!(status, CollectionTaskStatus::Queued);
}
