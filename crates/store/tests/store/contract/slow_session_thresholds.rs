//! Slow-session thresholds of instances.

use clew_model::{InstanceId, SlowSessionThreshold};
use clew_store::{AuditFilter, StoreError};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, new_instance, origin};

fn seconds(seconds: i64) -> SlowSessionThreshold {
    SlowSessionThreshold::new(seconds).unwrap()
}

#[rstest]
#[tokio::test]
async fn thresholds_of_several_instances_are_set_atomically(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let store = &fixture.store;
    let project = &fixture.initial_ids.project_id;
    let add = async |project: &_, name| {
        store.instances().add_instance(&origin(), new_instance(project, name, &["mysql://u:p@h/"])).await.unwrap().id
    };
    let (first, second) = (add(project, "first").await, add(project, "second").await);
    let elsewhere =
        store.tenants().create_project(&origin(), &fixture.initial_ids.domain_id, "south-1", "").await.unwrap();
    let foreign = add(&elsewhere, "foreign").await;
    assert_eq!(store.instances().find_slow_session_threshold(&first).await.unwrap(), None);

    let twice = [first.clone(), second.clone(), first.clone()];
    store.instances().set_slow_session_threshold(&origin(), project, &twice, seconds(3)).await.unwrap();
    for id in [&first, &second] {
        assert_eq!(store.instances().find_slow_session_threshold(id).await.unwrap(), Some(seconds(3)));
    }
    assert_eq!(store.instances().find_slow_session_threshold(&foreign).await.unwrap(), None);

    for missing in [InstanceId::generate(), foreign.clone()] {
        let batch = [first.clone(), missing.clone()];
        let error =
            store.instances().set_slow_session_threshold(&origin(), project, &batch, seconds(9)).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unknown { name, .. } if *name == missing.to_string()), "{error}");
    }
    assert_eq!(store.instances().find_slow_session_threshold(&first).await.unwrap(), Some(seconds(3)));
    assert_eq!(store.instances().find_slow_session_threshold(&foreign).await.unwrap(), None);

    let filter = AuditFilter { operation: Some("SetSlowThreshold".into()), ..AuditFilter::default() };
    let rows = store.audit().list_audit_rows_after_seq(&filter, 0, 100).await.unwrap();
    let events: Vec<_> =
        rows.iter().map(|row| (row.event.instance_id.clone().unwrap(), row.event.target.as_str())).collect();
    assert_eq!(events, [(first, "first"), (second, "second")]);
    assert_eq!(rows[0].event.detail, serde_json::json!({ "slow_process_threshold": 3 }));
}
