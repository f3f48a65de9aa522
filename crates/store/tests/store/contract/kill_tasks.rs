//! Kill tasks: enabling and disabling, limits, states and leases.

use std::time::Duration;

use clew_model::{InstanceId, KillCriteria};
use clew_store::KillTaskState::{Finished, Running, Stopped};
use clew_store::{KillTaskState, NewKillTask, StoreError};
use rstest::rstest;
use serde_json::json;

use crate::database::Database;
use crate::fixture::{Fixture, new_instance, origin};

const LEASE: Duration = Duration::from_secs(10);

pub(crate) fn task(seconds: Option<u64>) -> NewKillTask {
    NewKillTask {
        criteria: KillCriteria { user: Some("app".into()), ..KillCriteria::with_min_seconds_in_state(7) },
        masked: true,
        duration: seconds.map(Duration::from_secs),
        audit_detail: json!({ "time": 7 }),
    }
}

impl Fixture {
    async fn add_instance(&self, name: &str) -> InstanceId {
        let new = new_instance(&self.initial_ids.project_id, name, &["mysql://u:p@h/"]);
        self.store.instances().add_instance(&origin(), new).await.unwrap().id
    }

    async fn set_switch(&self, instance: &InstanceId, on: bool) {
        assert!(
            self.store
                .kill_tasks()
                .set_kill_tasks_enabled(&origin(), &self.initial_ids.project_id, instance, on)
                .await
                .unwrap()
        );
    }

    async fn add(&self, instance: &InstanceId, seconds: Option<u64>) -> Result<Option<i64>, StoreError> {
        self.store.kill_tasks().add_kill_task(&origin(), &self.initial_ids.project_id, instance, &task(seconds)).await
    }

    async fn states(&self, instance: &InstanceId) -> Vec<KillTaskState> {
        self.store.kill_tasks().list_kill_tasks(instance).await.unwrap().into_iter().map(|task| task.state).collect()
    }

    async fn runnable_tasks(&self) -> Vec<(InstanceId, Vec<i64>)> {
        let rounds = self.store.kill_tasks().list_instances_with_kill_tasks().await.unwrap().into_iter();
        rounds.map(|one| (one.instance_id, one.tasks.into_iter().map(|task| task.id).collect())).collect()
    }
}

#[rstest]
#[tokio::test]
async fn kill_tasks_require_the_kill_switch_and_stop_when_it_is_turned_off(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let instance = fixture.add_instance("shop").await;
    assert!(!fixture.store.kill_tasks().are_kill_tasks_enabled(&instance).await.unwrap());
    assert!(matches!(fixture.add(&instance, None).await, Err(StoreError::KillTasksDisabled)));
    fixture.set_switch(&instance, true).await;
    assert!(fixture.store.kill_tasks().are_kill_tasks_enabled(&instance).await.unwrap());
    let id = fixture.add(&instance, None).await.unwrap().unwrap();
    let stored = fixture.store.kill_tasks().list_kill_tasks(&instance).await.unwrap().remove(0);
    assert_eq!((stored.id, &stored.criteria, stored.masked), (id, &task(None).criteria, true));
    fixture.advance_clock(1000);
    fixture.set_switch(&instance, false).await;
    assert_eq!(fixture.states(&instance).await, [KillTaskState::Stopped]);
    fixture.set_switch(&instance, true).await;
    assert_eq!(fixture.runnable_tasks().await, [], "stopped tasks do not restart");
    let unknown = InstanceId::generate();
    assert!(
        !fixture
            .store
            .kill_tasks()
            .set_kill_tasks_enabled(&origin(), &fixture.initial_ids.project_id, &unknown, true)
            .await
            .unwrap()
    );
    assert_eq!(fixture.add(&unknown, None).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn at_most_five_kill_tasks_run_concurrently(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (instance, other) = (fixture.add_instance("shop").await, fixture.add_instance("other").await);
    fixture.set_switch(&instance, true).await;
    fixture.set_switch(&other, true).await;
    let mut ids = Vec::new();
    for seconds in [Some(10), None, None, None, None] {
        ids.push(fixture.add(&instance, seconds).await.unwrap().unwrap());
    }
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    let full = fixture.add(&instance, None).await;
    assert!(matches!(full, Err(StoreError::TooManyKillTasks(5))), "{full:?}");
    assert!(fixture.add(&other, None).await.unwrap().is_some());
    fixture.advance_clock(9_999);
    assert!(fixture.add(&instance, None).await.is_err());
    fixture.advance_clock(1);
    assert_eq!(fixture.states(&instance).await[4], KillTaskState::Finished);
    ids.push(fixture.add(&instance, None).await.unwrap().unwrap());
    let project = &fixture.initial_ids.project_id;
    assert!(fixture.store.kill_tasks().stop_kill_task(&origin(), project, &instance, ids[1]).await.unwrap());
    assert!(fixture.store.kill_tasks().stop_kill_task(&origin(), project, &instance, ids[1]).await.unwrap());
    assert!(fixture.store.kill_tasks().stop_kill_task(&origin(), project, &instance, ids[0]).await.unwrap());
    assert!(
        !fixture.store.kill_tasks().stop_kill_task(&origin(), project, &other, ids[2]).await.unwrap(),
        "a task of another instance"
    );
    assert_eq!(fixture.states(&instance).await, [Running, Running, Running, Running, Stopped, Finished]);
    assert!(fixture.add(&instance, None).await.unwrap().is_some());
}

#[rstest]
#[tokio::test]
async fn ended_kill_tasks_are_pruned(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let instance = fixture.add_instance("shop").await;
    fixture.set_switch(&instance, true).await;
    let first = fixture.add(&instance, None).await.unwrap().unwrap();
    for _ in 0..120 {
        fixture.add(&instance, Some(10)).await.unwrap().unwrap();
        fixture.advance_clock(10_000);
    }
    let stored = fixture.store.kill_tasks().list_kill_tasks(&instance).await.unwrap();
    assert_eq!(stored.len(), 101);
    assert_eq!((stored[100].id, stored[100].state), (first, KillTaskState::Running));
}

#[rstest]
#[tokio::test]
async fn one_worker_holds_the_lease_of_an_instance_until_it_expires(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let store = &fixture.store;
    let instance = fixture.add_instance("shop").await;
    assert!(!store.kill_tasks().acquire_kill_task_lease(&instance, "one", LEASE).await.unwrap(), "the switch is off");
    fixture.set_switch(&instance, true).await;
    let id = fixture.add(&instance, Some(3600)).await.unwrap().unwrap();
    assert_eq!(fixture.runnable_tasks().await, [(instance.clone(), vec![id])]);
    assert!(store.kill_tasks().acquire_kill_task_lease(&instance, "one", LEASE).await.unwrap());
    assert!(!store.kill_tasks().acquire_kill_task_lease(&instance, "two", LEASE).await.unwrap());
    assert_eq!(store.kill_tasks().list_leased_kill_task_ids(&instance, "one").await.unwrap(), [id].into());
    assert_eq!(store.kill_tasks().list_leased_kill_task_ids(&instance, "two").await.unwrap(), [].into());
    fixture.advance_clock(9_999);
    assert!(!store.kill_tasks().acquire_kill_task_lease(&instance, "two", LEASE).await.unwrap());
    assert!(store.kill_tasks().acquire_kill_task_lease(&instance, "one", LEASE).await.unwrap(), "the lease is renewed");
    fixture.advance_clock(10_000);
    assert_eq!(
        store.kill_tasks().list_leased_kill_task_ids(&instance, "one").await.unwrap(),
        [].into(),
        "the lease has expired"
    );
    assert!(store.kill_tasks().acquire_kill_task_lease(&instance, "two", LEASE).await.unwrap());
    assert!(!store.kill_tasks().acquire_kill_task_lease(&instance, "one", LEASE).await.unwrap());
    store.kill_tasks().release_kill_task_leases("one").await.unwrap();
    assert!(!store.kill_tasks().acquire_kill_task_lease(&instance, "one", LEASE).await.unwrap());
    store.kill_tasks().release_kill_task_leases("two").await.unwrap();
    assert!(store.kill_tasks().acquire_kill_task_lease(&instance, "one", LEASE).await.unwrap());
    let lock = store.acquire_data_dir_lock().unwrap();
    assert_eq!(store.kill_tasks().release_all_kill_task_leases(&lock).await.unwrap(), u64::from(!database.is_shared()));
    if database.is_shared() {
        store.kill_tasks().release_kill_task_leases("one").await.unwrap();
    }
    assert!(store.kill_tasks().acquire_kill_task_lease(&instance, "two", LEASE).await.unwrap());
    fixture.advance_clock(3600 * 1000);
    assert_eq!(fixture.runnable_tasks().await, []);
}

#[rstest]
#[tokio::test]
async fn kill_task_changes_are_audited_and_removed_with_the_instance(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let instance = fixture.add_instance("shop").await;
    fixture.set_switch(&instance, true).await;
    let id = fixture.add(&instance, None).await.unwrap().unwrap();
    fixture.store.kill_tasks().stop_kill_task(&origin(), &fixture.initial_ids.project_id, &instance, id).await.unwrap();
    let filter = clew_store::AuditFilter { instance: Some(instance.clone()), ..Default::default() };
    let rows = fixture.store.audit().list_audit_rows_after_seq(&filter, 0, 100).await.unwrap();
    let events: Vec<_> = rows.iter().map(|row| (row.event.operation.as_str(), row.event.detail.clone())).collect();
    assert_eq!(
        events[1..],
        [
            ("SwitchKillTasks", json!({ "status": "ON" })),
            ("AddKillTask", json!({ "task": id.to_string(), "asked": { "time": 7 } })),
            ("StopKillTask", json!({ "task": id.to_string() })),
        ]
    );
    assert!(
        fixture.store.instances().remove_instance(&origin(), &fixture.initial_ids.project_id, &instance).await.unwrap()
    );
    assert_eq!((fixture.count("kill_tasks").await, fixture.count("kill_switches").await), (0, 0));
}
