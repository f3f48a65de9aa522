//! Task queue: order, limits, leases and fences.

use std::collections::HashMap;
use std::time::Duration;

use crate::backend::MetadataServer;
use crate::database::Database;
use crate::fixture::{Fixture, claim, limitation};
use clew_model::{CollectionTaskOutcome, CollectionTaskStatus, Failure, FailureKind, NodeId, RequestId};
use clew_store::{ClaimedTask, Clock, StoreError};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rstest::rstest;

const LEASE: Duration = Duration::from_secs(10);

fn failed() -> CollectionTaskOutcome {
    CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"))
}

fn finished(name: &str) -> CollectionTaskOutcome {
    CollectionTaskOutcome::Finished {
        result_name: name.to_owned(),
        rows: 3,
        bytes: 42,
        sha256: "ab".repeat(32),
        limitations: vec![limitation()],
    }
}

impl Fixture {
    async fn claim(&self) -> Option<ClaimedTask> {
        claim(&self.store, LEASE, 2).await.unwrap()
    }

    async fn queue(&self, node: &NodeId) -> RequestId {
        let task = self.new_task(node);
        self.store.tasks().enqueue_task(&task, 100).await.unwrap();
        task.request_id
    }

    async fn status(&self, id: &RequestId) -> CollectionTaskStatus {
        self.store.tasks().find_task(id).await.unwrap().unwrap().status
    }
}

#[rstest]
#[tokio::test]
async fn tasks_are_claimed_in_order_with_two_per_node(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (busy, free) = (NodeId::generate(), NodeId::generate());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(fixture.queue(&busy).await);
    }
    let other = fixture.queue(&free).await;
    let first = fixture.claim().await.unwrap();
    assert_eq!(first.task.request.request_id, waiting[0]);
    assert_eq!(first.task.request.selection.user.as_deref(), Some("app"));
    assert_eq!(fixture.claim().await.unwrap().task.request.request_id, waiting[1]);
    assert_eq!(fixture.claim().await.unwrap().task.request.request_id, other, "a busy node does not block other nodes");
    assert!(fixture.claim().await.is_none());
    assert!(fixture.store.tasks().complete_task(&waiting[0], first.fence, &failed()).await.unwrap());
    assert_eq!(fixture.claim().await.unwrap().task.request.request_id, waiting[2]);
}

#[rstest]
#[tokio::test]
async fn full_queue_of_a_node_rejects_tasks_of_that_node_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let node = NodeId::generate();
    for _ in 0..2 {
        fixture.store.tasks().enqueue_task(&fixture.new_task(&node), 2).await.unwrap();
    }
    let error = fixture.store.tasks().enqueue_task(&fixture.new_task(&node), 2).await.unwrap_err();
    assert!(matches!(&error, StoreError::QueueFull { node: full, limit: 2 } if *full == node), "{error}");
    fixture.store.tasks().enqueue_task(&fixture.new_task(&NodeId::generate()), 2).await.unwrap();
    fixture.claim().await.unwrap();
    fixture.store.tasks().enqueue_task(&fixture.new_task(&node), 2).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn expired_lease_is_claimed_and_its_fence_is_rejected(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let id = fixture.queue(&NodeId::generate()).await;
    let first = fixture.claim().await.unwrap();
    fixture.advance_clock(9_999);
    assert!(fixture.claim().await.is_none());
    assert!(fixture.store.tasks().renew_lease(&id, first.fence, LEASE).await.unwrap());
    fixture.advance_clock(9_999);
    assert!(fixture.claim().await.is_none(), "renewed");
    fixture.advance_clock(1);
    let second = fixture.claim().await.unwrap();
    assert_eq!((second.task.request.request_id.clone(), second.task.attempts), (id.clone(), 2));
    assert!(second.fence > first.fence);
    assert!(!fixture.store.tasks().renew_lease(&id, first.fence, LEASE).await.unwrap());
    assert!(!fixture.store.tasks().complete_task(&id, first.fence, &finished("old")).await.unwrap());
    assert!(!fixture.store.tasks().release_task(&id, first.fence).await.unwrap());
    assert_eq!(fixture.status(&id).await, CollectionTaskStatus::Running);
    assert!(fixture.store.tasks().complete_task(&id, second.fence, &finished("new")).await.unwrap());
    let task = fixture.store.tasks().find_task(&id).await.unwrap().unwrap();
    let result = task.result.unwrap();
    assert_eq!((result.name.as_str(), result.limitations), ("new", Some(vec![limitation()])));
    assert!(
        !fixture.store.tasks().complete_task(&id, second.fence, &failed()).await.unwrap(),
        "an ended task stays ended"
    );
    assert_eq!(fixture.status(&id).await, CollectionTaskStatus::Finished);
}

/// A worker with a wrong clock considers a valid lease expired, so two workers run the same task.
#[rstest]
#[tokio::test]
async fn previous_lease_holder_is_rejected(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let id = fixture.queue(&NodeId::generate()).await;
    let older = fixture.claim().await.unwrap();
    let fast_clock = fixture.open().await.unwrap().with_clock(Clock::new(|| 1_000_000 + 3_600_000));
    let newer = claim(&fast_clock, LEASE, 2).await.unwrap().unwrap();
    assert_eq!(newer.task.request.request_id, id);
    let outcomes = [finished("older"), finished("newer")];
    let (refused, renewed) = tokio::join!(
        fixture.store.tasks().complete_task(&id, older.fence, &outcomes[0]),
        fast_clock.tasks().renew_lease(&id, newer.fence, LEASE)
    );
    assert!(!refused.unwrap() && renewed.unwrap());
    assert!(!fixture.store.tasks().renew_lease(&id, older.fence, LEASE).await.unwrap());
    assert!(!fixture.store.tasks().release_task(&id, older.fence).await.unwrap());
    let (refused, ended) = tokio::join!(
        fixture.store.tasks().complete_task(&id, older.fence, &outcomes[0]),
        fast_clock.tasks().complete_task(&id, newer.fence, &outcomes[1])
    );
    assert!(!refused.unwrap() && ended.unwrap());
    assert_eq!(fixture.store.tasks().find_task(&id).await.unwrap().unwrap().result.unwrap().name, "newer");
}

#[rstest]
#[tokio::test]
async fn expired_lease_is_not_renewed(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let node = NodeId::generate();
    for _ in 0..4 {
        fixture.queue(&node).await;
    }
    let lapsing = fixture.claim().await.unwrap();
    fixture.advance_clock(5_000);
    fixture.claim().await.unwrap();
    fixture.advance_clock(5_000);
    let id = &lapsing.task.request.request_id;
    assert!(!fixture.store.tasks().renew_lease(id, lapsing.fence, LEASE).await.unwrap());
    assert_eq!(fixture.claim().await.unwrap().task.request.request_id, *id, "the oldest task is claimed first");
    assert!(fixture.claim().await.is_none(), "two tasks of the node have leases");
}

/// A task that crashes workers must not crash them in quick succession.
#[rstest]
#[tokio::test]
async fn task_with_repeatedly_expired_lease_backs_off_without_blocking_others(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let lost = fixture.queue(&NodeId::generate()).await;
    for (attempt, wait) in [(1, 0), (2, 0), (3, 10_000), (4, 20_000), (5, 30_000)] {
        if wait > 0 {
            fixture.advance_clock(wait - 1);
            let other = fixture.queue(&NodeId::generate()).await;
            let claimed = fixture.claim().await.unwrap();
            assert_eq!(claimed.task.request.request_id, other, "attempt {attempt}");
            assert!(fixture.store.tasks().complete_task(&other, claimed.fence, &failed()).await.unwrap());
            assert!(fixture.claim().await.is_none(), "attempt {attempt}");
            fixture.advance_clock(1);
        }
        let claimed = fixture.claim().await.unwrap();
        assert_eq!((claimed.task.request.request_id, claimed.task.attempts), (lost.clone(), attempt));
        fixture.advance_clock(10_000);
    }
}

#[rstest]
#[tokio::test]
async fn claim_with_failed_commit_is_rolled_back(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let id = fixture.queue(&NodeId::generate()).await;
    fixture.sql(database.fail_on_commit("tasks", "UPDATE")).await;
    let claimed = claim(&fixture.store, LEASE, 2).await;
    assert!(matches!(claimed, Err(StoreError::Database { .. })), "{claimed:?}");
    assert_eq!(fixture.status(&id).await, CollectionTaskStatus::Queued);
    fixture.sql(database.allow_inserts("tasks")).await;
    assert_eq!(fixture.claim().await.unwrap().fence, 1);
}

#[rstest]
#[tokio::test]
async fn released_task_does_not_count_the_attempt(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let id = fixture.queue(&NodeId::generate()).await;
    let claimed = fixture.claim().await.unwrap();
    assert!(fixture.store.tasks().release_task(&id, claimed.fence).await.unwrap());
    assert_eq!(fixture.status(&id).await, CollectionTaskStatus::Queued);
    assert_eq!(fixture.claim().await.unwrap().task.attempts, 1);
}

#[rstest]
#[tokio::test]
async fn ended_tasks_are_removed_and_queued_tasks_remain(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let node = NodeId::generate();
    let (old, open) = (fixture.queue(&node).await, fixture.queue(&node).await);
    let claimed = fixture.claim().await.unwrap();
    fixture.store.tasks().complete_task(&old, claimed.fence, &finished("a.csv")).await.unwrap();
    assert_eq!(fixture.store.tasks().list_referenced_result_names().await.unwrap(), ["a.csv"]);
    assert!(fixture.store.tasks().remove_tasks_ended_before(1_000_000).await.unwrap().is_empty());
    assert_eq!(fixture.store.tasks().remove_tasks_ended_before(1_000_001).await.unwrap(), ["a.csv"]);
    assert!(fixture.store.tasks().find_task(&old).await.unwrap().is_none());
    assert_eq!(fixture.status(&open).await, CollectionTaskStatus::Queued);
    let counts: HashMap<_, _> = fixture.store.tasks().count_tasks_by_status().await.unwrap().into_iter().collect();
    assert_eq!((counts[&CollectionTaskStatus::Queued], counts[&CollectionTaskStatus::Finished]), (1, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Queue(usize),
    Claim,
    Pass(i64),
    Renew(usize),
    End(usize),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..2_usize).prop_map(Step::Queue),
        Just(Step::Claim),
        (0..12_000_i64).prop_map(Step::Pass),
        any::<usize>().prop_map(Step::Renew),
        any::<usize>().prop_map(Step::End),
        any::<usize>().prop_map(Step::Release),
    ]
}

#[rstest]
#[test]
fn task_is_ended_once_by_its_latest_lease_holder(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(MetadataServer::start(database));
    let config = ProptestConfig { cases: 40, source_file: Some(file!()), ..ProptestConfig::default() };
    let outcome = TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..60), |steps| runtime.block_on(run(&server, steps)));
    outcome.unwrap();
}

/// Runs the steps and compares the store with a simple model of leases.
async fn run(server: &MetadataServer, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let fixture = Fixture::on_server(server).await;
    let nodes = [NodeId::generate(), NodeId::generate()];
    let mut now = 0_i64;
    let mut live: HashMap<RequestId, (NodeId, i64)> = HashMap::new();
    let mut claims: Vec<(RequestId, i64)> = Vec::new();
    let mut newest: HashMap<RequestId, i64> = HashMap::new();
    let mut ended: HashMap<RequestId, i64> = HashMap::new();
    for step in steps {
        let nth_claim = |at: usize| claims.get(at % claims.len().max(1)).cloned();
        match step {
            Step::Queue(node) => {
                fixture.queue(&nodes[node]).await;
            }
            Step::Pass(milliseconds) => {
                now += milliseconds;
                fixture.advance_clock(milliseconds);
            }
            Step::Claim => {
                if let Some(claimed) = fixture.claim().await {
                    let id = claimed.task.request.request_id;
                    prop_assert!(!ended.contains_key(&id), "an ended task was claimed");
                    let before = newest.insert(id.clone(), claimed.fence);
                    prop_assert!(before.is_none_or(|before| before < claimed.fence));
                    prop_assert!(live.get(&id).is_none_or(|(_, until)| *until <= now), "a valid lease was claimed");
                    live.insert(id.clone(), (claimed.task.request.node_id, now + 10_000));
                    claims.push((id, claimed.fence));
                }
            }
            Step::Renew(at) => {
                if let Some((id, fence)) = nth_claim(at) {
                    let renewed = fixture.store.tasks().renew_lease(&id, fence, LEASE).await.unwrap();
                    if renewed {
                        prop_assert!(newest[&id] == fence && !ended.contains_key(&id));
                        let lease = live.get_mut(&id).ok_or_else(|| TestCaseError::fail("renewed without a lease"))?;
                        prop_assert!(lease.1 > now, "an expired lease was renewed");
                        lease.1 = now + 10_000;
                    }
                }
            }
            Step::End(at) => {
                if let Some((id, fence)) = nth_claim(at)
                    && fixture.store.tasks().complete_task(&id, fence, &finished("x")).await.unwrap()
                {
                    prop_assert_eq!(newest[&id], fence);
                    live.remove(&id);
                    prop_assert!(ended.insert(id, fence).is_none(), "a task ended twice");
                }
            }
            Step::Release(at) => {
                if let Some((id, fence)) = nth_claim(at)
                    && fixture.store.tasks().release_task(&id, fence).await.unwrap()
                {
                    prop_assert!(newest[&id] == fence && !ended.contains_key(&id));
                    live.remove(&id);
                }
            }
        }
        for node in &nodes {
            let held = live.values().filter(|(of, until)| of == node && *until > now).count();
            prop_assert!(held <= 2, "{} collections of a node are live", held);
        }
        for id in ended.keys() {
            prop_assert_eq!(fixture.status(id).await, CollectionTaskStatus::Finished);
        }
    }
    Ok(())
}
