//! Contents and filters of the audit log.

use clew_model::{Actor, AuditEvent, AuditOrigin, AuditOutcome, NodeId, UserId};
use clew_store::{AuditFilter, AuditRecord, Grantee, PolicyRef, StoreError};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::json;

use super::users::new_user;
use crate::database::Database;
use crate::fixture::{Fixture, new_instance, origin, tenant};

impl Fixture {
    pub(crate) async fn audit_rows(&self) -> Vec<AuditRecord> {
        self.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 1000).await.unwrap()
    }

    /// Appends the given number of audit rows.
    pub(crate) async fn record_events(&self, count: usize) {
        for number in 0..count {
            self.store
                .audit()
                .append_audit_event(&AuditEvent::for_successful_operation(&origin(), "Test", format!("row {number}")))
                .await
                .unwrap();
        }
    }
}

impl Fixture {
    /// Appends the given number of audit rows concurrently.
    pub(crate) async fn record_concurrently(&self, count: usize) {
        let recording = (0..count).map(|_| {
            let store = self.store.clone();
            tokio::spawn(async move {
                store
                    .audit()
                    .append_audit_event(&AuditEvent::for_successful_operation(&origin(), "Test", "row"))
                    .await
                    .unwrap();
            })
        });
        for one in recording.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
}

fn network_origin(user: &UserId, fixture: &Fixture) -> AuditOrigin {
    AuditOrigin {
        actor: Actor::User { id: user.clone(), name: "ada".into(), domain_id: fixture.initial_ids.domain_id.clone() },
        peer: Some("2001:db8::7".parse().unwrap()),
        request_id: "r-1".into(),
    }
}

#[rstest]
#[tokio::test]
async fn initialization_is_the_first_row(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let rows = fixture.audit_rows().await;
    assert_eq!(rows.len(), 1);
    let AuditRecord { seq: 1, event, .. } = &rows[0] else { panic!("{rows:?}") };
    assert_eq!((&*event.operation, &event.origin, &*event.target), ("Initialize", &origin(), "acme"));
    assert_eq!(event.domain_id.as_ref(), Some(&fixture.initial_ids.domain_id));
    assert_eq!(event.detail["access_key"], tenant().access_key.as_str());
}

#[rstest]
#[tokio::test]
async fn recorded_events_are_read_back_unchanged(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let event = AuditEvent {
        project_id: Some(fixture.initial_ids.project_id.clone()),
        node_id: Some(NodeId::generate()),
        outcome: AuditOutcome::Denied,
        code: Some("DBS.280015".into()),
        detail: json!({ "template": "SELECT ? FROM t", "rows": 7, "電": [null, "\u{0}'"] }),
        ..AuditEvent::for_successful_operation(
            &network_origin(&UserId::generate(), &fixture),
            "CollectRealtimeSession",
            "shop",
        )
    };
    let anonymous =
        AuditOrigin { actor: Actor::Anonymous { claimed: "eve".into() }, peer: None, request_id: String::new() };
    let minimal_event = AuditEvent {
        detail: serde_json::Value::Null,
        ..AuditEvent::for_successful_operation(&anonymous, "CreateToken", "")
    };
    fixture.advance_clock(7);
    for event in [
        &event,
        &minimal_event,
        &AuditEvent::for_successful_operation(&AuditOrigin::for_internal_operation(), "PruneResults", "results"),
    ] {
        fixture.store.audit().append_audit_event(event).await.unwrap();
    }
    let rows = fixture.audit_rows().await;
    assert_eq!((&rows[1].event, rows[1].at, rows[1].seq), (&event, 1_000_007, 2));
    assert_eq!((&rows[2].event, &rows[3].event.origin.actor), (&minimal_event, &Actor::Clew));
    assert!(fixture.store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}

#[rstest]
#[tokio::test]
async fn every_change_appends_one_row_with_its_actor(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, domain, project) = (&fixture.store, &fixture.initial_ids.domain_id, &fixture.initial_ids.project_id);
    let by = network_origin(&fixture.initial_ids.user_id, &fixture);
    let user = store.identities().create_user(&by, domain, &new_user("grace")).await.unwrap();
    let group = store.identities().create_group(&by, domain, "dbas", "").await.unwrap();
    store.identities().add_group_member(&by, &group, &user).await.unwrap();
    let policy = store.policies().put_policy(&by, domain, "look", "role", "{the document}", "").await.unwrap();
    let (own, to) = (PolicyRef::Custom(policy.clone()), Grantee::Group(group.clone()));
    store.policies().attach_policy(&by, &own, &to, Some(project)).await.unwrap();
    store.policies().detach_policy(&by, &own, &to, Some(project)).await.unwrap();
    store.policies().remove_policy(&by, &policy).await.unwrap();
    let key = tenant().access_key;
    store.identities().set_access_key_enabled(&by, &key, false).await.unwrap();
    store.identities().remove_access_key(&by, &key).await.unwrap();
    store.identities().create_access_key(&by, &user, &key, &SecretString::from("x")).await.unwrap();
    let instance =
        store.instances().add_instance(&by, new_instance(project, "a", &["mysql://u:hidden@h/"])).await.unwrap();
    store.instances().add_tags(&by, project, &instance.id, &[]).await.unwrap();
    store.instances().remove_tags(&by, project, &instance.id, &[]).await.unwrap();
    store.instances().remove_instance(&by, project, &instance.id).await.unwrap();
    store.identities().remove_group_member(&by, &group, &user).await.unwrap();
    store.identities().remove_group(&by, &group).await.unwrap();
    store.identities().remove_user(&by, &user).await.unwrap();
    store.tenants().create_project(&by, domain, "south", "").await.unwrap();
    store.tenants().update_project(&by, project, &clew_store::ProjectChange::default()).await.unwrap();
    store.tenants().create_enterprise_project(&by, domain, "e", "").await.unwrap();
    let rows = fixture.audit_rows().await;
    let operations: Vec<_> = rows.iter().skip(1).map(|row| row.event.operation.as_str()).collect();
    assert_eq!(
        operations,
        [
            "CreateUser",
            "CreateGroup",
            "AddUserToGroup",
            "PutPolicy",
            "AttachPolicy",
            "DetachPolicy",
            "DeletePolicy",
            "UpdateAccessKey",
            "DeleteAccessKey",
            "CreateAccessKey",
            "AddInstance",
            "TagInstance",
            "UntagInstance",
            "RemoveInstance",
            "RemoveUserFromGroup",
            "DeleteGroup",
            "DeleteUser",
            "CreateProject",
            "UpdateProject",
            "CreateEnterpriseProject",
        ]
    );
    for row in &rows[1..] {
        assert_eq!((&row.event.origin, row.event.domain_id.as_ref()), (&by, Some(domain)), "{row:?}");
        assert!(!row.event.target.is_empty(), "{row:?}");
    }
    let all = format!("{rows:?}");
    for secret in ["the document", "hash-of-grace", "hidden"] {
        assert!(!all.contains(secret), "{secret}");
    }
    assert!(all.contains("mysql://u@h:3306/"), "the event contains the node");
}

#[rstest]
#[tokio::test]
async fn failed_and_empty_changes_append_no_row(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, domain) = (&fixture.store, &fixture.initial_ids.domain_id);
    assert!(!store.identities().remove_user(&origin(), &UserId::generate()).await.unwrap());
    assert!(!store.identities().revoke_token(&origin(), &[1; 32]).await.unwrap());
    store.identities().create_user(&origin(), domain, &new_user("admin")).await.unwrap_err();
    store.tenants().create_project(&origin(), domain, "here-1", "").await.unwrap_err();
    assert_eq!(fixture.audit_rows().await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn change_without_audit_row_is_rolled_back(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.sql(database.reject_inserts("audit", "true", "no room")).await;
    let refused = fixture.store.tenants().create_domain(&origin(), "other").await;
    assert!(refused.unwrap_err().to_string().contains("no room"));
    assert_eq!(fixture.store.tenants().list_domains().await.unwrap().len(), 1);
    let event = AuditEvent::for_successful_operation(&origin(), "Test", "");
    let refused = tokio::join!(
        fixture.store.audit().append_audit_event(&event),
        fixture.store.audit().append_audit_event(&event)
    );
    for refused in [refused.0, refused.1] {
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::Database { .. }) && error.to_string().contains("no room"), "{error}");
    }
    fixture.sql(database.allow_inserts("audit")).await;
    fixture.record_events(1).await;
    assert_eq!(fixture.audit_rows().await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn audit_filters_match_page_by_page(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let (store, project) = (&fixture.store, &fixture.initial_ids.project_id);
    let ada = UserId::generate();
    let node = NodeId::generate();
    let instance = clew_model::InstanceId::generate();
    let other = fixture.other_domain().await;
    fixture.advance_clock(1000);
    let collected = AuditEvent {
        project_id: Some(project.clone()),
        instance_id: Some(instance.clone()),
        node_id: Some(node.clone()),
        outcome: AuditOutcome::Failed,
        ..AuditEvent::for_successful_operation(&network_origin(&ada, &fixture), "CollectRealtimeSession", "shop")
    };
    store.audit().append_audit_event(&collected).await.unwrap();
    fixture.advance_clock(1000);
    fixture.record_events(3).await;
    let find = |filter: AuditFilter| async move {
        store
            .audit()
            .list_audit_rows_after_seq(&filter, 0, 100)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.seq)
            .collect::<Vec<_>>()
    };
    let all = AuditFilter::default;
    for (filter, found) in [
        (all(), vec![1, 2, 3, 4, 5, 6]),
        (AuditFilter { domain: Some(other), ..all() }, vec![2]),
        (AuditFilter { domain: Some(fixture.initial_ids.domain_id.clone()), ..all() }, vec![1, 3]),
        (AuditFilter { from: Some(1_001_000), to: Some(1_002_000), ..all() }, vec![3]),
        (AuditFilter { actor: Some(ada.to_string()), ..all() }, vec![3]),
        (AuditFilter { actor: Some("ada".into()), ..all() }, vec![3]),
        (AuditFilter { operation: Some("Test".into()), ..all() }, vec![4, 5, 6]),
        (AuditFilter { project: Some(project.clone()), ..all() }, vec![1, 3]),
        (AuditFilter { instance: Some(instance), ..all() }, vec![3]),
        (AuditFilter { node: Some(node), ..all() }, vec![3]),
        (AuditFilter { outcome: Some(AuditOutcome::Failed), ..all() }, vec![3]),
        (AuditFilter { request_id: Some("r-1".into()), ..all() }, vec![3]),
        (AuditFilter { request_id: Some("r-1".into()), operation: Some("Test".into()), ..all() }, vec![]),
    ] {
        assert_eq!(find(filter.clone()).await, found, "{filter:?}");
    }
    let page = store.audit().list_audit_rows_after_seq(&all(), 2, 3).await.unwrap();
    assert_eq!(page.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4, 5]);
    let newest = store
        .audit()
        .list_audit_rows_before_seq(&AuditFilter { operation: Some("Test".into()), ..all() }, 6, 10)
        .await
        .unwrap();
    assert_eq!(newest.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 4]);
}

#[rstest]
#[tokio::test]
async fn concurrent_events_share_a_transaction_without_loss(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    const CALLER_COUNT: usize = 32;
    const EVENTS_PER_CALLER: usize = 50;
    let fixture = Fixture::new(database).await;
    let callers: Vec<_> = (0..CALLER_COUNT)
        .map(|caller| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                for number in 0..EVENTS_PER_CALLER {
                    let event = AuditEvent::for_successful_operation(&origin(), "Test", format!("{caller}/{number}"));
                    store.audit().append_audit_event(&event).await.unwrap();
                    let there = AuditFilter { operation: Some("Test".into()), ..AuditFilter::default() };
                    if number == 0 {
                        assert!(
                            !store.audit().list_audit_rows_after_seq(&there, 0, 1).await.unwrap().is_empty(),
                            "the event is visible when the call returns"
                        );
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let rows = fixture.store.audit().list_audit_rows_after_seq(&AuditFilter::default(), 0, 10_000).await.unwrap();
    let mut targets: Vec<_> = rows.into_iter().map(|row| row.event.target).collect();
    targets.sort();
    targets.dedup();
    assert_eq!(targets.len(), CALLER_COUNT * EVENTS_PER_CALLER + 1);
    assert!(fixture.store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}

#[rstest]
#[tokio::test]
async fn event_of_cancelled_caller_is_written(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    let store = fixture.store.clone();
    let caller = tokio::spawn(async move {
        let event = AuditEvent::for_successful_operation(&origin(), "Test", "given up");
        let mut recording = Box::pin(store.audit().append_audit_event(&event));
        let polled =
            std::future::poll_fn(|context| std::task::Poll::Ready(recording.as_mut().poll(context).is_pending()));
        assert!(polled.await, "the call is pending");
    });
    caller.await.unwrap();
    fixture.record_events(1).await;
    assert_eq!(fixture.audit_rows().await[1].event.target, "given up");
}

#[rstest]
#[tokio::test]
async fn nul_character_is_replaced_in_the_audit(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let fixture = Fixture::new(database).await;
    fixture
        .store
        .audit()
        .append_audit_event(&AuditEvent::for_successful_operation(&origin(), "Test", "a\0b"))
        .await
        .unwrap();
    let found = fixture.audit_rows().await.pop().unwrap();
    assert_eq!(found.event.target, "a\u{2400}b");
    assert!(fixture.store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}
