//! Kill tasks: switch, limits, ends, and who runs them.

use std::time::Duration;

use clew_model::{InstanceId, KillCriteria};
use clew_store::KillTaskState::{Finished, Running, Stopped};
use clew_store::{KillTaskState, NewKillTask, StoreError};
use serde_json::json;

use crate::fixture::{Fixture, by, new_instance};
use crate::place::SHARED;

const LEASE: Duration = Duration::from_secs(10);

pub(crate) fn task(seconds: Option<u64>) -> NewKillTask {
    NewKillTask {
        criteria: KillCriteria { user: Some("app".into()), ..KillCriteria::after(7) },
        masked: true,
        duration: seconds.map(Duration::from_secs),
        audit_detail: json!({ "time": 7 }),
    }
}

impl Fixture {
    async fn watched(&self, name: &str) -> InstanceId {
        let new = new_instance(&self.founded.project_id, name, &["mysql://u:p@h/"]);
        self.store.add_instance(&by(), new).await.unwrap().id
    }

    async fn switch(&self, instance: &InstanceId, on: bool) {
        assert!(self.store.set_kill_switch(&by(), &self.founded.project_id, instance, on).await.unwrap());
    }

    async fn add(&self, instance: &InstanceId, seconds: Option<u64>) -> Result<Option<i64>, StoreError> {
        self.store.add_kill_task(&by(), &self.founded.project_id, instance, &task(seconds)).await
    }

    async fn states(&self, instance: &InstanceId) -> Vec<KillTaskState> {
        self.store.kill_tasks(instance).await.unwrap().into_iter().map(|task| task.state).collect()
    }

    async fn to_run(&self) -> Vec<(InstanceId, Vec<i64>)> {
        let rounds = self.store.kill_rounds().await.unwrap().into_iter();
        rounds.map(|one| (one.instance_id, one.tasks.into_iter().map(|task| task.id).collect())).collect()
    }
}

#[tokio::test]
async fn tasks_need_the_switch_and_end_when_it_goes_off() {
    let fixture = Fixture::new().await;
    let instance = fixture.watched("shop").await;
    assert!(!fixture.store.kill_switch(&instance).await.unwrap());
    assert!(matches!(fixture.add(&instance, None).await, Err(StoreError::KillSwitchOff)));
    fixture.switch(&instance, true).await;
    assert!(fixture.store.kill_switch(&instance).await.unwrap());
    let id = fixture.add(&instance, None).await.unwrap().unwrap();
    let kept = fixture.store.kill_tasks(&instance).await.unwrap().remove(0);
    assert_eq!((kept.id, &kept.criteria, kept.masked), (id, &task(None).criteria, true));
    fixture.pass(1000);
    fixture.switch(&instance, false).await;
    assert_eq!(fixture.states(&instance).await, [KillTaskState::Stopped]);
    fixture.switch(&instance, true).await;
    assert_eq!(fixture.to_run().await, [], "what was stopped does not begin again");
    let nobody = InstanceId::generate();
    assert!(!fixture.store.set_kill_switch(&by(), &fixture.founded.project_id, &nobody, true).await.unwrap());
    assert_eq!(fixture.add(&nobody, None).await.unwrap(), None);
}

#[tokio::test]
async fn five_run_at_once_and_an_end_makes_room() {
    let fixture = Fixture::new().await;
    let (instance, other) = (fixture.watched("shop").await, fixture.watched("other").await);
    fixture.switch(&instance, true).await;
    fixture.switch(&other, true).await;
    let mut ids = Vec::new();
    for seconds in [Some(10), None, None, None, None] {
        ids.push(fixture.add(&instance, seconds).await.unwrap().unwrap());
    }
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    let full = fixture.add(&instance, None).await;
    assert!(matches!(full, Err(StoreError::TooManyKillTasks { limit: 5 })), "{full:?}");
    assert!(fixture.add(&other, None).await.unwrap().is_some());
    fixture.pass(9_999);
    assert!(fixture.add(&instance, None).await.is_err());
    fixture.pass(1);
    assert_eq!(fixture.states(&instance).await[4], KillTaskState::Finished);
    ids.push(fixture.add(&instance, None).await.unwrap().unwrap());
    let project = &fixture.founded.project_id;
    assert!(fixture.store.stop_kill_task(&by(), project, &instance, ids[1]).await.unwrap());
    assert!(fixture.store.stop_kill_task(&by(), project, &instance, ids[1]).await.unwrap());
    assert!(fixture.store.stop_kill_task(&by(), project, &instance, ids[0]).await.unwrap());
    assert!(!fixture.store.stop_kill_task(&by(), project, &other, ids[2]).await.unwrap(), "another instance's");
    assert_eq!(fixture.states(&instance).await, [Running, Running, Running, Running, Stopped, Finished]);
    assert!(fixture.add(&instance, None).await.unwrap().is_some());
}

#[tokio::test]
async fn ended_tasks_do_not_pile_up() {
    let fixture = Fixture::new().await;
    let instance = fixture.watched("shop").await;
    fixture.switch(&instance, true).await;
    let first = fixture.add(&instance, None).await.unwrap().unwrap();
    for _ in 0..120 {
        fixture.add(&instance, Some(10)).await.unwrap().unwrap();
        fixture.pass(10_000);
    }
    let kept = fixture.store.kill_tasks(&instance).await.unwrap();
    assert_eq!(kept.len(), 101);
    assert_eq!((kept[100].id, kept[100].state), (first, KillTaskState::Running));
}

#[tokio::test]
async fn one_worker_runs_the_tasks_of_an_instance_until_its_lease_lapses() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let instance = fixture.watched("shop").await;
    assert!(!store.hold_kill_rounds(&instance, "one", LEASE).await.unwrap(), "the switch is off");
    fixture.switch(&instance, true).await;
    let id = fixture.add(&instance, Some(3600)).await.unwrap().unwrap();
    assert_eq!(fixture.to_run().await, [(instance.clone(), vec![id])]);
    assert!(store.hold_kill_rounds(&instance, "one", LEASE).await.unwrap());
    assert!(!store.hold_kill_rounds(&instance, "two", LEASE).await.unwrap());
    assert_eq!(store.kill_tasks_to_run(&instance, "one").await.unwrap(), [id].into());
    assert_eq!(store.kill_tasks_to_run(&instance, "two").await.unwrap(), [].into());
    fixture.pass(9_999);
    assert!(!store.hold_kill_rounds(&instance, "two", LEASE).await.unwrap());
    assert!(store.hold_kill_rounds(&instance, "one", LEASE).await.unwrap(), "it renews its lease");
    fixture.pass(10_000);
    assert_eq!(store.kill_tasks_to_run(&instance, "one").await.unwrap(), [].into(), "its lease has lapsed");
    assert!(store.hold_kill_rounds(&instance, "two", LEASE).await.unwrap());
    assert!(!store.hold_kill_rounds(&instance, "one", LEASE).await.unwrap());
    store.release_kill_rounds("one").await.unwrap();
    assert!(!store.hold_kill_rounds(&instance, "one", LEASE).await.unwrap());
    store.release_kill_rounds("two").await.unwrap();
    assert!(store.hold_kill_rounds(&instance, "one", LEASE).await.unwrap());
    let lock = store.lock_for_serving().unwrap();
    assert_eq!(store.end_all_kill_leases(&lock).await.unwrap(), u64::from(!SHARED));
    if SHARED {
        store.release_kill_rounds("one").await.unwrap();
    }
    assert!(store.hold_kill_rounds(&instance, "two", LEASE).await.unwrap());
    fixture.pass(3600 * 1000);
    assert_eq!(fixture.to_run().await, []);
}

#[tokio::test]
async fn what_people_did_is_in_the_audit_and_goes_with_the_instance() {
    let fixture = Fixture::new().await;
    let instance = fixture.watched("shop").await;
    fixture.switch(&instance, true).await;
    let id = fixture.add(&instance, None).await.unwrap().unwrap();
    fixture.store.stop_kill_task(&by(), &fixture.founded.project_id, &instance, id).await.unwrap();
    let filter = clew_store::AuditFilter { instance: Some(instance.clone()), ..Default::default() };
    let rows = fixture.store.audit(&filter, 0, 100).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.event.operation.as_str(), row.event.detail.clone())).collect();
    assert_eq!(
        told[1..],
        [
            ("SwitchKillTasks", json!({ "status": "ON" })),
            ("AddKillTask", json!({ "task": id.to_string(), "asked": { "time": 7 } })),
            ("StopKillTask", json!({ "task": id.to_string() })),
        ]
    );
    assert!(fixture.store.remove_instance(&by(), &fixture.founded.project_id, &instance).await.unwrap());
    assert_eq!((fixture.count("kill_tasks").await, fixture.count("kill_switches").await), (0, 0));
}
