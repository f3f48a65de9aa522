//! Fair scheduling: busy instances and projects do not starve others.

use std::time::Duration;

use clew_model::{
    CollectionTaskOutcome, CollectionTaskStatus, Failure, FailureKind, InstanceId, NodeId, ProjectId, RequestId,
};
use clew_store::{NewSessionCollectionTask, TaskClaimRequest};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, claim};

/// Owner of tasks: an instance of a project.
#[derive(Clone, PartialEq)]
struct Owner(ProjectId, InstanceId);

impl Owner {
    fn with_new_project() -> Self {
        Self(ProjectId::generate(), InstanceId::generate())
    }

    /// Another instance of the same project.
    fn sibling(&self) -> Self {
        Self(self.0.clone(), InstanceId::generate())
    }
}

impl Fixture {
    /// Enqueues tasks, each for a new node.
    async fn queue_for(&self, owner: &Owner, count: usize) -> Vec<RequestId> {
        let queued = (0..count).map(|_| {
            let (project_id, instance_id) = (owner.0.clone(), owner.1.clone());
            let task = NewSessionCollectionTask { project_id, instance_id, ..self.new_task(&NodeId::generate()) };
            let store = self.store.clone();
            tokio::spawn(async move { store.tasks().enqueue_task(&task, 1).await.map(|()| task.request_id) })
        });
        let mut ids = Vec::new();
        for queued in queued.collect::<Vec<_>>() {
            ids.push(queued.await.unwrap().unwrap());
        }
        ids
    }

    /// Claims and completes the next tasks one after the other. Returns their owners.
    async fn next_owners(&self, count: usize) -> Vec<Owner> {
        let mut owners = Vec::new();
        for _ in 0..count {
            let claimed = claim(&self.store, Duration::from_secs(10), 2).await.unwrap().unwrap();
            let outcome = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            assert!(
                self.store
                    .tasks()
                    .complete_task(&claimed.task.request.request_id, claimed.fence, &outcome)
                    .await
                    .unwrap()
            );
            owners.push(Owner(claimed.task.request.project_id, claimed.task.request.instance_id));
        }
        owners
    }
}

fn positions(of: &Owner, among: &[Owner]) -> Vec<usize> {
    among.iter().enumerate().filter(|(_, owner)| *owner == of).map(|(position, _)| position).collect()
}

#[rstest]
#[tokio::test]
async fn busy_instance_does_not_starve_other_instances(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let busy = Owner::with_new_project();
    let (sibling, other_project) = (busy.sibling(), Owner::with_new_project());
    fixture.queue_for(&busy, 500).await;
    fixture.queue_for(&other_project, 3).await;
    fixture.queue_for(&sibling, 1).await;
    let next = fixture.next_owners(12).await;
    let (other_positions, sibling_positions) = (positions(&other_project, &next), positions(&sibling, &next));
    assert!(other_positions.len() == 3 && other_positions[0] <= 2 && other_positions[2] <= 8, "{other_positions:?}");
    assert!(sibling_positions.len() == 1 && sibling_positions[0] <= 5, "{sibling_positions:?}");
    // Later tasks do not wait for an earlier backlog.
    let late = Owner::with_new_project();
    fixture.queue_for(&late, 2).await;
    assert_eq!(positions(&late, &fixture.next_owners(6).await).len(), 2);
}

#[rstest]
#[tokio::test]
async fn project_with_many_instances_does_not_starve_other_projects(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let first = Owner::with_new_project();
    for _ in 0..40 {
        fixture.queue_for(&first.sibling(), 3).await;
    }
    let single = Owner::with_new_project();
    fixture.queue_for(&single, 3).await;
    let next = fixture.next_owners(10).await;
    let indexes = positions(&single, &next);
    assert!(indexes.len() == 3 && indexes[0] <= 2 && indexes[2] <= 8, "{indexes:?}");
}

#[rstest]
#[tokio::test]
async fn batch_claim_respects_limits_per_node(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (node, excluded) = (NodeId::generate(), NodeId::generate());
    for node in [&node, &node, &node, &excluded, &NodeId::generate()] {
        fixture.store.tasks().enqueue_task(&fixture.new_task(node), 9).await.unwrap();
    }
    let claim = |max_tasks| TaskClaimRequest {
        worker: "w".to_owned(),
        lease: Duration::from_secs(10),
        max_per_node: 2,
        excluded_nodes: vec![excluded.clone()],
        max_tasks,
    };
    assert_eq!(fixture.store.tasks().claim_tasks(claim(2)).await.unwrap().tasks.len(), 2);
    let third = fixture.store.tasks().claim_tasks(claim(9)).await.unwrap().tasks;
    assert_eq!(third.len(), 1, "two tasks of the first node are running, and the second node is excluded");
    assert!(![&node, &excluded].contains(&&third[0].task.request.node_id));
    let any = TaskClaimRequest { excluded_nodes: vec![], ..claim(9) };
    assert_eq!(fixture.store.tasks().claim_tasks(any).await.unwrap().tasks[0].task.request.node_id, excluded);
}

#[rstest]
#[tokio::test]
async fn damaged_task_fails_and_is_not_reclaimed(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let damaged = fixture.queue_for(&Owner::with_new_project(), 1).await.remove(0);
    fixture.sql("UPDATE tasks SET selection = '{\"class\":\"no such class\"}'").await;
    let intact = fixture.queue_for(&Owner::with_new_project(), 1).await.remove(0);
    let claim = TaskClaimRequest {
        worker: "w".to_owned(),
        lease: Duration::from_secs(10),
        max_per_node: 2,
        excluded_nodes: vec![],
        max_tasks: 1,
    };
    let claims = fixture.store.tasks().claim_tasks(claim).await.unwrap();
    assert_eq!(claims.tasks[0].task.request.request_id, intact);
    assert_eq!(claims.damaged[0].kind, FailureKind::StoreFailed);
    let task = fixture.store.tasks().find_task(&damaged).await.unwrap().unwrap();
    assert_eq!((task.status, task.failure.as_ref()), (CollectionTaskStatus::Error, claims.damaged.first()));
    assert!(task.failure.unwrap().detail.contains("selection cannot be parsed"));
}
