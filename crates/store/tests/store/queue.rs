//! The queue: order, limits, leases, fences.

use std::collections::HashMap;
use std::time::Duration;

use crate::fixture::{Fixture, claim};
use crate::place;
use clew_model::{Failure, FailureKind, NodeId, RequestId, TaskOutcome, TaskStatus};
use clew_store::{ClaimedTask, Clock, StoreError};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const LEASE: Duration = Duration::from_secs(10);

fn failed() -> TaskOutcome {
    TaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"))
}

fn finished(name: &str) -> TaskOutcome {
    TaskOutcome::Finished { result_name: name.to_owned(), rows: 3, bytes: 42, sha256: "ab".repeat(32) }
}

impl Fixture {
    async fn claim(&self) -> Option<ClaimedTask> {
        claim(&self.store, LEASE, 2).await.unwrap()
    }

    async fn queue(&self, node: &NodeId) -> RequestId {
        let task = self.new_task(node);
        self.store.insert_task(&task, 100).await.unwrap();
        task.request_id
    }

    async fn status(&self, id: &RequestId) -> TaskStatus {
        self.store.task(id).await.unwrap().unwrap().status
    }
}

#[tokio::test]
async fn tasks_are_taken_up_in_order_and_two_of_a_node_at_once() {
    let fixture = Fixture::new().await;
    let (busy, free) = (NodeId::generate(), NodeId::generate());
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(fixture.queue(&busy).await);
    }
    let other = fixture.queue(&free).await;
    let first = fixture.claim().await.unwrap();
    assert_eq!(first.task.request_id, waiting[0]);
    assert_eq!(first.task.selection.user.as_deref(), Some("app"));
    assert_eq!(fixture.claim().await.unwrap().task.request_id, waiting[1]);
    assert_eq!(fixture.claim().await.unwrap().task.request_id, other, "a busy node does not hold up another one");
    assert!(fixture.claim().await.is_none());
    assert!(fixture.store.end_task(&waiting[0], first.fence, &failed()).await.unwrap());
    assert_eq!(fixture.claim().await.unwrap().task.request_id, waiting[2]);
}

#[tokio::test]
async fn a_full_queue_says_so_and_other_nodes_still_have_room() {
    let fixture = Fixture::new().await;
    let node = NodeId::generate();
    for _ in 0..2 {
        fixture.store.insert_task(&fixture.new_task(&node), 2).await.unwrap();
    }
    let error = fixture.store.insert_task(&fixture.new_task(&node), 2).await.unwrap_err();
    assert!(matches!(&error, StoreError::QueueFull { node: full, limit: 2 } if *full == node), "{error}");
    fixture.store.insert_task(&fixture.new_task(&NodeId::generate()), 2).await.unwrap();
    fixture.claim().await.unwrap();
    fixture.store.insert_task(&fixture.new_task(&node), 2).await.unwrap();
}

#[tokio::test]
async fn a_lapsed_lease_is_taken_over_and_the_old_fence_no_longer_counts() {
    let fixture = Fixture::new().await;
    let id = fixture.queue(&NodeId::generate()).await;
    let first = fixture.claim().await.unwrap();
    fixture.pass(9_999);
    assert!(fixture.claim().await.is_none());
    assert!(fixture.store.renew_lease(&id, first.fence, LEASE).await.unwrap());
    fixture.pass(9_999);
    assert!(fixture.claim().await.is_none(), "renewed");
    fixture.pass(1);
    let second = fixture.claim().await.unwrap();
    assert_eq!((second.task.request_id.clone(), second.task.attempts), (id.clone(), 2));
    assert!(second.fence > first.fence);
    assert!(!fixture.store.renew_lease(&id, first.fence, LEASE).await.unwrap());
    assert!(!fixture.store.end_task(&id, first.fence, &finished("old")).await.unwrap());
    assert!(!fixture.store.release_task(&id, first.fence).await.unwrap());
    assert_eq!(fixture.status(&id).await, TaskStatus::Running);
    assert!(fixture.store.end_task(&id, second.fence, &finished("new")).await.unwrap());
    let task = fixture.store.task(&id).await.unwrap().unwrap();
    assert_eq!(task.result.unwrap().name, "new");
    assert!(!fixture.store.end_task(&id, second.fence, &failed()).await.unwrap(), "an end is final");
    assert_eq!(fixture.status(&id).await, TaskStatus::Finished);
}

/// The worker whose clock is wrong by an hour does not know that the other's lease lasts. Both believe that the task is theirs.
#[tokio::test]
async fn of_two_workers_that_hold_one_lease_the_older_one_is_refused() {
    let fixture = Fixture::new().await;
    let id = fixture.queue(&NodeId::generate()).await;
    let older = fixture.claim().await.unwrap();
    let hasty = fixture.open().await.unwrap().with_clock(Clock::new(|| 1_000_000 + 3_600_000));
    let newer = claim(&hasty, LEASE, 2).await.unwrap().unwrap();
    assert_eq!(newer.task.request_id, id);
    let outcomes = [finished("older"), finished("newer")];
    let (refused, renewed) = tokio::join!(
        fixture.store.end_task(&id, older.fence, &outcomes[0]),
        hasty.renew_lease(&id, newer.fence, LEASE)
    );
    assert!(!refused.unwrap() && renewed.unwrap());
    assert!(!fixture.store.renew_lease(&id, older.fence, LEASE).await.unwrap());
    assert!(!fixture.store.release_task(&id, older.fence).await.unwrap());
    let (refused, ended) = tokio::join!(
        fixture.store.end_task(&id, older.fence, &outcomes[0]),
        hasty.end_task(&id, newer.fence, &outcomes[1])
    );
    assert!(!refused.unwrap() && ended.unwrap());
    assert_eq!(fixture.store.task(&id).await.unwrap().unwrap().result.unwrap().name, "newer");
}

#[tokio::test]
async fn a_lease_that_lapsed_is_not_renewed_for_its_place_may_be_taken() {
    let fixture = Fixture::new().await;
    let node = NodeId::generate();
    for _ in 0..4 {
        fixture.queue(&node).await;
    }
    let lapsing = fixture.claim().await.unwrap();
    fixture.pass(5_000);
    fixture.claim().await.unwrap();
    fixture.pass(5_000);
    let id = &lapsing.task.request_id;
    assert!(!fixture.store.renew_lease(id, lapsing.fence, LEASE).await.unwrap());
    assert_eq!(fixture.claim().await.unwrap().task.request_id, *id, "the oldest is taken up again first");
    assert!(fixture.claim().await.is_none(), "two of the node live");
}

/// One that ends its workers shall not end them one right after the other.
#[tokio::test]
async fn what_is_lost_again_waits_longer_each_time_and_keeps_nobody_else_waiting() {
    let fixture = Fixture::new().await;
    let lost = fixture.queue(&NodeId::generate()).await;
    for (attempt, wait) in [(1, 0), (2, 0), (3, 10_000), (4, 20_000), (5, 30_000)] {
        if wait > 0 {
            fixture.pass(wait - 1);
            let other = fixture.queue(&NodeId::generate()).await;
            let claimed = fixture.claim().await.unwrap();
            assert_eq!(claimed.task.request_id, other, "attempt {attempt}");
            assert!(fixture.store.end_task(&other, claimed.fence, &failed()).await.unwrap());
            assert!(fixture.claim().await.is_none(), "attempt {attempt}");
            fixture.pass(1);
        }
        let claimed = fixture.claim().await.unwrap();
        assert_eq!((claimed.task.request_id, claimed.task.attempts), (lost.clone(), attempt));
        fixture.pass(10_000);
    }
}

#[tokio::test]
async fn a_claim_whose_commit_fails_is_no_claim() {
    let fixture = Fixture::new().await;
    let id = fixture.queue(&NodeId::generate()).await;
    fixture.sql(place::fail_at_the_end("tasks", "UPDATE")).await;
    let claimed = claim(&fixture.store, LEASE, 2).await;
    assert!(matches!(claimed, Err(StoreError::Database { .. })), "{claimed:?}");
    assert_eq!(fixture.status(&id).await, TaskStatus::Queued);
    fixture.sql(place::allow("tasks")).await;
    assert_eq!(fixture.claim().await.unwrap().fence, 1);
}

#[tokio::test]
async fn what_is_handed_back_was_never_tried() {
    let fixture = Fixture::new().await;
    let id = fixture.queue(&NodeId::generate()).await;
    let claimed = fixture.claim().await.unwrap();
    assert!(fixture.store.release_task(&id, claimed.fence).await.unwrap());
    assert_eq!(fixture.status(&id).await, TaskStatus::Queued);
    assert_eq!(fixture.claim().await.unwrap().task.attempts, 1);
}

#[tokio::test]
async fn ended_tasks_are_removed_with_their_results_and_open_ones_stay() {
    let fixture = Fixture::new().await;
    let node = NodeId::generate();
    let (old, open) = (fixture.queue(&node).await, fixture.queue(&node).await);
    let claimed = fixture.claim().await.unwrap();
    fixture.store.end_task(&old, claimed.fence, &finished("a.csv")).await.unwrap();
    assert_eq!(fixture.store.known_result_names().await.unwrap(), ["a.csv"]);
    assert!(fixture.store.remove_ended_before(1_000_000).await.unwrap().is_empty());
    assert_eq!(fixture.store.remove_ended_before(1_000_001).await.unwrap(), ["a.csv"]);
    assert!(fixture.store.task(&old).await.unwrap().is_none());
    assert_eq!(fixture.status(&open).await, TaskStatus::Queued);
    let counts: HashMap<_, _> = fixture.store.task_counts().await.unwrap().into_iter().collect();
    assert_eq!((counts[&TaskStatus::Queued], counts[&TaskStatus::Finished]), (1, 0));
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

#[test]
fn whatever_happens_a_task_ends_once_by_its_newest_holder() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _kept = runtime.block_on(place::keep());
    let config = ProptestConfig { cases: 40, source_file: Some(file!()), ..ProptestConfig::default() };
    let played =
        TestRunner::new(config).run(&proptest::collection::vec(step(), 1..60), |steps| runtime.block_on(run(steps)));
    played.unwrap();
}

/// Plays the steps against a plain model of who holds what.
async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let fixture = Fixture::new().await;
    let nodes = [NodeId::generate(), NodeId::generate()];
    let mut now = 0_i64;
    let mut live: HashMap<RequestId, (NodeId, i64)> = HashMap::new();
    let mut claims: Vec<(RequestId, i64)> = Vec::new();
    let mut newest: HashMap<RequestId, i64> = HashMap::new();
    let mut ended: HashMap<RequestId, i64> = HashMap::new();
    for step in steps {
        let chosen = |at: usize| claims.get(at % claims.len().max(1)).cloned();
        match step {
            Step::Queue(node) => {
                fixture.queue(&nodes[node]).await;
            }
            Step::Pass(milliseconds) => {
                now += milliseconds;
                fixture.pass(milliseconds);
            }
            Step::Claim => {
                if let Some(claimed) = fixture.claim().await {
                    let id = claimed.task.request_id;
                    prop_assert!(!ended.contains_key(&id), "an ended task was taken up");
                    let before = newest.insert(id.clone(), claimed.fence);
                    prop_assert!(before.is_none_or(|before| before < claimed.fence));
                    prop_assert!(live.get(&id).is_none_or(|(_, until)| *until <= now), "a live lease was taken");
                    live.insert(id.clone(), (claimed.task.node_id, now + 10_000));
                    claims.push((id, claimed.fence));
                }
            }
            Step::Renew(at) => {
                if let Some((id, fence)) = chosen(at) {
                    let renewed = fixture.store.renew_lease(&id, fence, LEASE).await.unwrap();
                    if renewed {
                        prop_assert!(newest[&id] == fence && !ended.contains_key(&id));
                        let lease = live.get_mut(&id).ok_or_else(|| TestCaseError::fail("renewed without a lease"))?;
                        prop_assert!(lease.1 > now, "a lapsed lease was renewed");
                        lease.1 = now + 10_000;
                    }
                }
            }
            Step::End(at) => {
                if let Some((id, fence)) = chosen(at)
                    && fixture.store.end_task(&id, fence, &finished("x")).await.unwrap()
                {
                    prop_assert_eq!(newest[&id], fence);
                    live.remove(&id);
                    prop_assert!(ended.insert(id, fence).is_none(), "a task ended twice");
                }
            }
            Step::Release(at) => {
                if let Some((id, fence)) = chosen(at)
                    && fixture.store.release_task(&id, fence).await.unwrap()
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
            prop_assert_eq!(fixture.status(id).await, TaskStatus::Finished);
        }
    }
    Ok(())
}
