//! Kill records: insertion before the kill, and a single outcome.

use clew_model::{AuditOrigin, AuditOutcome, InstanceId, NodeId, Pagination};
use clew_store::{AuditFilter, KillFilter, KillSource, NewKillRecord, RecordedKillOutcome};
use rstest::rstest;

use crate::database::Database;
use crate::fixture::{Fixture, origin};

const ALL_ROWS: Pagination = Pagination { offset: 0, limit: 1000 };

pub(crate) fn new_kill(fixture: &Fixture, instance: &InstanceId, session_id: u64) -> NewKillRecord {
    NewKillRecord {
        project_id: fixture.initial_ids.project_id.clone(),
        instance_id: instance.clone(),
        node_id: NodeId::generate(),
        source: KillSource::Manual,
        task_id: None,
        kind: "connection".into(),
        reason: "it holds everybody up".into(),
        session_id,
        user: "app".into(),
        host: "10.0.0.7:51234".into(),
        database: None,
        command: "Query".into(),
        seconds: 37,
        state: Some("executing".into()),
        template: Some("SELECT ?".into()),
    }
}

async fn events(fixture: &Fixture) -> Vec<clew_store::AuditRecord> {
    let filter = AuditFilter { operation: Some("KillSession".into()), ..AuditFilter::default() };
    fixture.store.audit().list_audit_rows_after_seq(&filter, 0, 1000).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn kill_is_recorded_without_an_outcome_and_audited_with_its_outcome(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let instance = InstanceId::generate();
    let kills = [new_kill(&fixture, &instance, 7), new_kill(&fixture, &instance, u64::from(u32::MAX))];
    let ids = fixture.store.kills().insert_kill_records(&kills).await.unwrap();
    let filter = KillFilter::for_instance(instance.clone());
    let (open, total) = fixture.store.kills().list_kills(&filter, ALL_ROWS).await.unwrap();
    assert_eq!((total, open.len()), (2, 2));
    assert!(open.iter().all(|kill| (kill.outcome, kill.ended_at) == (None, None) && kill.requested_at == 1_000_000));
    assert!(events(&fixture).await.is_empty());

    fixture.advance_clock(5);
    let ends = [
        (ids[0], RecordedKillOutcome::RollingBack, "3 rows".to_owned()),
        (ids[1], RecordedKillOutcome::Refused, "protected".to_owned()),
    ];
    fixture.store.kills().record_kill_outcomes(&origin(), &ends).await.unwrap();
    let (ended, _) = fixture.store.kills().list_kills(&filter, ALL_ROWS).await.unwrap();
    let last = &ended[0];
    assert_eq!((last.request.session_id, last.outcome), (u64::from(u32::MAX), Some(RecordedKillOutcome::Refused)));
    let first = &ended[1];
    assert_eq!(
        (first.id, first.outcome, first.ended_at),
        (ids[0], Some(RecordedKillOutcome::RollingBack), Some(1_000_005))
    );
    assert_eq!((first.request.template.as_deref(), first.detail.as_deref()), (Some("SELECT ?"), Some("3 rows")));
    let rows = events(&fixture).await;
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].event.target.as_str(), rows[0].event.outcome), ("7", AuditOutcome::Succeeded));
    assert_eq!(rows[1].event.outcome, AuditOutcome::Failed);
    let detail = &rows[0].event.detail;
    assert_eq!((&detail["source"], &detail["outcome"]), (&"manual".into(), &"rolling_back".into()));
    assert_eq!((&detail["statement"], &detail["reason"]), (&"SELECT ?".into(), &"it holds everybody up".into()));
    assert_eq!(rows[0].event.domain_id.as_ref(), Some(&fixture.initial_ids.domain_id));
    assert_eq!(rows[0].event.instance_id, Some(instance));

    // A recorded outcome is never replaced.
    fixture
        .store
        .kills()
        .record_kill_outcomes(&origin(), &[(ids[0], RecordedKillOutcome::Failed, String::new())])
        .await
        .unwrap();
    let (same, _) = fixture.store.kills().list_kills(&filter, ALL_ROWS).await.unwrap();
    assert_eq!(same, ended);
    assert_eq!(events(&fixture).await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn interrupted_kill_has_an_unknown_outcome_until_its_outcome_is_recorded(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let instance = InstanceId::generate();
    let lost = fixture.store.kills().insert_kill_records(&[new_kill(&fixture, &instance, 7)]).await.unwrap();
    fixture.advance_clock(60_000);
    fixture.store.kills().insert_kill_records(&[new_kill(&fixture, &instance, 8)]).await.unwrap();
    assert_eq!(fixture.store.kills().record_interrupted_kills_as_unknown(1_060_000).await.unwrap(), 1);
    assert_eq!(fixture.store.kills().record_interrupted_kills_as_unknown(1_060_000).await.unwrap(), 0);
    let filter = KillFilter::for_instance(instance);
    let outcomes = async || {
        let (kills, _) = fixture.store.kills().list_kills(&filter, ALL_ROWS).await.unwrap();
        kills.into_iter().map(|kill| (kill.request.session_id, kill.outcome)).collect::<Vec<_>>()
    };
    assert_eq!(outcomes().await, [(8, None), (7, Some(RecordedKillOutcome::Unknown))]);
    let rows = events(&fixture).await;
    assert_eq!(
        (rows.len(), &rows[0].event.origin, rows[0].event.outcome),
        (1, &AuditOrigin::for_internal_operation(), AuditOutcome::Failed)
    );
    assert_eq!(rows[0].event.detail["outcome"], "unknown");

    fixture
        .store
        .kills()
        .record_kill_outcomes(&origin(), &[(lost[0], RecordedKillOutcome::Killed, String::new())])
        .await
        .unwrap();
    assert_eq!(outcomes().await, [(8, None), (7, Some(RecordedKillOutcome::Killed))]);
    assert_eq!(events(&fixture).await.len(), 2);
    // Kills without an outcome are not removed.
    assert_eq!(fixture.store.kills().remove_kill_records_before(i64::MAX).await.unwrap(), 1);
    assert_eq!(outcomes().await, [(8, None)]);
}

#[rstest]
#[tokio::test]
async fn kills_are_filtered_by_node_source_task_and_time(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (instance, other) = (InstanceId::generate(), InstanceId::generate());
    let manual = new_kill(&fixture, &instance, 1);
    let task = |session_id, task: &str, source| NewKillRecord {
        source,
        task_id: Some(task.to_owned()),
        node_id: manual.node_id.clone(),
        ..new_kill(&fixture, &instance, session_id)
    };
    fixture.store.kills().insert_kill_records(&[manual.clone(), new_kill(&fixture, &other, 2)]).await.unwrap();
    fixture.advance_clock(10);
    let tasks = [task(3, "t1", KillSource::Task), task(4, "t2", KillSource::Intelligent)];
    fixture.store.kills().insert_kill_records(&tasks).await.unwrap();
    let all = KillFilter::for_instance(instance.clone());
    for (filter, expected) in [
        (all.clone(), vec![4, 3, 1]),
        (KillFilter::for_instance(other), vec![2]),
        (KillFilter { node_id: Some(manual.node_id.clone()), ..all.clone() }, vec![4, 3, 1]),
        (KillFilter { node_id: Some(NodeId::generate()), ..all.clone() }, vec![]),
        (KillFilter { source: Some(KillSource::Task), ..all.clone() }, vec![3]),
        (KillFilter { task_id: Some("t2".into()), ..all.clone() }, vec![4]),
        (KillFilter { from: Some(1_000_010), ..all.clone() }, vec![4, 3]),
        (KillFilter { to: Some(1_000_010), ..all.clone() }, vec![1]),
    ] {
        let (kills, total) = fixture.store.kills().list_kills(&filter, ALL_ROWS).await.unwrap();
        let found: Vec<u64> = kills.iter().map(|kill| kill.request.session_id).collect();
        assert_eq!((found, total), (expected.clone(), expected.len() as u64), "{filter:?}");
    }
    let (second, total) = fixture.store.kills().list_kills(&all, Pagination { offset: 1, limit: 1 }).await.unwrap();
    assert_eq!((second[0].request.session_id, total), (3, 3));
}
