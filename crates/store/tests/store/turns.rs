//! Whose turn it is: an instance or a project of which much waits leaves the others their share.

use std::time::Duration;

use clew_model::{Failure, FailureKind, InstanceId, NodeId, ProjectId, RequestId, TaskOutcome, TaskStatus};
use clew_store::{Claim, NewTask};

use crate::fixture::{Fixture, claim};

/// Somebody who collects: an instance of a project.
#[derive(Clone, PartialEq)]
struct Owner(ProjectId, InstanceId);

impl Owner {
    fn of_a_project_of_its_own() -> Self {
        Self(ProjectId::generate(), InstanceId::generate())
    }

    /// Another instance of the same project.
    fn sibling(&self) -> Self {
        Self(self.0.clone(), InstanceId::generate())
    }
}

impl Fixture {
    /// Queues so many, each of a node of its own.
    async fn queue_for(&self, owner: &Owner, count: usize) -> Vec<RequestId> {
        let queued = (0..count).map(|_| {
            let (project_id, instance_id) = (owner.0.clone(), owner.1.clone());
            let task = NewTask { project_id, instance_id, ..self.new_task(&NodeId::generate()) };
            let store = self.store.clone();
            tokio::spawn(async move { store.insert_task(&task, 1).await.map(|()| task.request_id) })
        });
        let mut ids = Vec::new();
        for queued in queued.collect::<Vec<_>>() {
            ids.push(queued.await.unwrap().unwrap());
        }
        ids
    }

    /// Whose tasks are taken up next, one after the other has ended.
    async fn next(&self, count: usize) -> Vec<Owner> {
        let mut owners = Vec::new();
        for _ in 0..count {
            let claimed = claim(&self.store, Duration::from_secs(10), 2).await.unwrap().unwrap();
            let outcome = TaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            assert!(self.store.end_task(&claimed.task.request_id, claimed.fence, &outcome).await.unwrap());
            owners.push(Owner(claimed.task.project_id, claimed.task.instance_id));
        }
        owners
    }
}

fn places(of: &Owner, among: &[Owner]) -> Vec<usize> {
    among.iter().enumerate().filter(|(_, owner)| *owner == of).map(|(place, _)| place).collect()
}

#[tokio::test]
async fn an_instance_of_which_much_waits_leaves_the_others_their_share() {
    let fixture = Fixture::new().await;
    let busy = Owner::of_a_project_of_its_own();
    let (sibling, stranger) = (busy.sibling(), Owner::of_a_project_of_its_own());
    fixture.queue_for(&busy, 500).await;
    fixture.queue_for(&stranger, 3).await;
    fixture.queue_for(&sibling, 1).await;
    let next = fixture.next(12).await;
    let (strangers, siblings) = (places(&stranger, &next), places(&sibling, &next));
    assert!(strangers.len() == 3 && strangers[0] <= 2 && strangers[2] <= 8, "{strangers:?}");
    assert!(siblings.len() == 1 && siblings[0] <= 5, "{siblings:?}");
    // Whoever comes later does not wait for what was there before.
    let late = Owner::of_a_project_of_its_own();
    fixture.queue_for(&late, 2).await;
    assert_eq!(places(&late, &fixture.next(6).await).len(), 2);
}

#[tokio::test]
async fn a_project_with_many_instances_leaves_the_others_their_share() {
    let fixture = Fixture::new().await;
    let first = Owner::of_a_project_of_its_own();
    for _ in 0..40 {
        fixture.queue_for(&first.sibling(), 3).await;
    }
    let single = Owner::of_a_project_of_its_own();
    fixture.queue_for(&single, 3).await;
    let next = fixture.next(10).await;
    let places = places(&single, &next);
    assert!(places.len() == 3 && places[0] <= 2 && places[2] <= 8, "{places:?}");
}

#[tokio::test]
async fn many_are_taken_up_at_once_and_the_limits_of_their_nodes_are_kept() {
    let fixture = Fixture::new().await;
    let (node, aside) = (NodeId::generate(), NodeId::generate());
    for node in [&node, &node, &node, &aside, &NodeId::generate()] {
        fixture.store.insert_task(&fixture.new_task(node), 9).await.unwrap();
    }
    let claim = |most| Claim {
        worker: "w".to_owned(),
        lease: Duration::from_secs(10),
        per_node: 2,
        set_aside: vec![aside.clone()],
        most,
    };
    assert_eq!(fixture.store.claim_tasks(claim(2)).await.unwrap().tasks.len(), 2);
    let third = fixture.store.claim_tasks(claim(9)).await.unwrap().tasks;
    assert_eq!(third.len(), 1, "two of the first node run, the second is set aside");
    assert!(![&node, &aside].contains(&&third[0].task.node_id));
    let any = Claim { set_aside: vec![], ..claim(9) };
    assert_eq!(fixture.store.claim_tasks(any).await.unwrap().tasks[0].task.node_id, aside);
}

#[tokio::test]
async fn what_cannot_be_understood_ends_and_is_not_taken_up_again() {
    let fixture = Fixture::new().await;
    let damaged = fixture.queue_for(&Owner::of_a_project_of_its_own(), 1).await.remove(0);
    fixture.sql("UPDATE tasks SET selection = '{\"class\":\"no such class\"}'").await;
    let whole = fixture.queue_for(&Owner::of_a_project_of_its_own(), 1).await.remove(0);
    let claim =
        Claim { worker: "w".to_owned(), lease: Duration::from_secs(10), per_node: 2, set_aside: vec![], most: 1 };
    let claims = fixture.store.claim_tasks(claim).await.unwrap();
    assert_eq!(claims.tasks[0].task.request_id, whole);
    assert_eq!(claims.damaged[0].kind, FailureKind::StoreFailed);
    let task = fixture.store.task(&damaged).await.unwrap().unwrap();
    assert_eq!((task.status, task.failure.as_ref()), (TaskStatus::Error, claims.damaged.first()));
    assert!(task.failure.unwrap().detail.contains("selection cannot be understood"));
}
