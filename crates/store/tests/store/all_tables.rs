//! Writes rows to every table through the store and verifies their contents.

use std::time::Duration;

use clew_model::{
    AccessKeyId, Actor, AuditOrigin, CollectionTaskOutcome, CollectionTaskStatus, Failure, FailureKind, InstanceFilter,
    KillCriteria, NewInstance, NewNode, NodeRole, Pagination, RequestId, SessionSelection, SlowSessionThreshold, Tag,
    UserId,
};
use clew_store::{
    Grantee, InitialTenantIds, IntelligentKillFilter, IntelligentKillRequest, IssuingCredentials, KillFilter,
    KillSource, NewKillRecord, NewKillTask, NewSessionCollectionTask, NewTemporaryAccessKey, NewToken, NewUser,
    PolicyRef, RecordedKillOutcome, Store, TaskClaimRequest, TokenOrigin,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

const INSTANCE: &str = "0123456789abcdef0123456789abcdefin07";
const NODES: [&str; 2] = ["0123456789abcdef0123456789abcdefno07", "fedcba9876543210fedcba9876543210no07"];
const TEMPORARY_KEY: &str = "TEMPORARY00000000000";
const TOKENS: [[u8; 32]; 2] = [[5; 32], [6; 32]];
const DOCUMENT: &str = r#"{"Version":"1.1","Statement":[]}"#;
/// Request ids of a queued, a running, a succeeded and a failed collection.
const TASKS: [&str; 4] = [
    "realtime_session-00000000-0000-4000-8000-000000000000-98e0",
    "realtime_session-00000000-0000-4000-8000-000000000001-98e1",
    "realtime_session-00000000-0000-4000-8000-000000000002-98e2",
    "realtime_session-00000000-0000-4000-8000-000000000003-98e3",
];
const ALL_ROWS: Pagination = Pagination { offset: 0, limit: 1000 };
/// Unix timestamp in seconds that is far in the future.
const FAR_FUTURE: i64 = 9_000_000_000;

fn origin() -> AuditOrigin {
    AuditOrigin::for_local_account("fixture")
}

/// Writes the rows to a new store.
pub(crate) async fn fill(store: &Store, initial_ids: &InitialTenantIds) {
    let (domain, project) = (&initial_ids.domain_id, &initial_ids.project_id);
    let retail = store.tenants().create_enterprise_project(&origin(), domain, "retail", "shops").await.unwrap();
    let ada = fill_identities(store, initial_ids).await;
    let node = |at: usize, role, url: &str| NewNode {
        zone: None,
        id: Some(NODES[at].parse().unwrap()),
        role,
        url: url.parse().unwrap(),
    };
    let instance = NewInstance {
        id: Some(INSTANCE.parse().unwrap()),
        project_id: project.clone(),
        name: "shop".into(),
        enterprise_project_id: retail,
        tags: vec![Tag { key: "env".into(), value: "prod".into() }],
        nodes: vec![
            node(0, NodeRole::Master, "mysql://clew:first%20password@10.0.0.5:3306/?tls=off"),
            node(1, NodeRole::Slave, "mysql://clew:second@10.0.0.6:3307/"),
        ],
    };
    let instance = store.instances().add_instance(&origin(), instance).await.unwrap().id;
    let seven = SlowSessionThreshold::new(7).unwrap();
    store
        .instances()
        .set_slow_session_threshold(&origin(), project, std::slice::from_ref(&instance), seven)
        .await
        .unwrap();
    fill_tasks(store, initial_ids).await;

    assert!(store.kill_tasks().set_kill_tasks_enabled(&origin(), project, &instance, true).await.unwrap());
    let criteria = KillCriteria { user: Some("app".into()), ..KillCriteria::with_min_seconds_in_state(7) };
    let kill_task = NewKillTask { criteria, masked: true, duration: None, audit_detail: json!({ "time": 7 }) };
    store.kill_tasks().add_kill_task(&origin(), project, &instance, &kill_task).await.unwrap().unwrap();
    fill_kills(store, initial_ids, &ada).await;
    store.lockouts().record_client_address(&ada, "192.0.2.7".parse().unwrap()).await.unwrap();
    for _ in 0..5 {
        store.lockouts().record_auth_failure("user:unknown").await.unwrap();
    }
}

async fn fill_identities(store: &Store, initial_ids: &InitialTenantIds) -> UserId {
    let domain = &initial_ids.domain_id;
    let ada = NewUser {
        name: "ada".into(),
        password_hash: "$argon2id$ada".into(),
        administrator: false,
        description: "Ünï".into(),
    };
    let ada = store.identities().create_user(&origin(), domain, &ada).await.unwrap();
    let dbas = store.identities().create_group(&origin(), domain, "dbas", "on call").await.unwrap();
    assert!(store.identities().add_group_member(&origin(), &dbas, &ada).await.unwrap());
    let policy = store.policies().put_policy(&origin(), domain, "look", "role", DOCUMENT, "only look").await.unwrap();
    assert!(
        store
            .policies()
            .attach_policy(&origin(), &PolicyRef::Custom(policy), &Grantee::Group(dbas), None)
            .await
            .unwrap()
    );
    let system = PolicyRef::System("TaurusDBReadOnlyAccessPolicy".into());
    let (project, user) = (Some(&initial_ids.project_id), Grantee::User(ada.clone()));
    assert!(store.policies().attach_policy(&origin(), &system, &user, project).await.unwrap());
    let temporary = NewTemporaryAccessKey {
        user_id: ada.clone(),
        id: TEMPORARY_KEY.parse().unwrap(),
        secret: SecretString::from("secret of the temporary key"),
        token_hash: [7; 32],
        expires_at: FAR_FUTURE,
        issued_for: IssuingCredentials::CommandLine,
    };
    store.identities().create_temporary_key(&origin(), &temporary).await.unwrap();
    for (hash, scope_project) in TOKENS.into_iter().zip([None, Some(initial_ids.project_id.clone())]) {
        let issued_by_methods = vec!["password".to_owned()];
        let (issued_at, expires_at) = (1000, FAR_FUTURE);
        let token = NewToken {
            hash,
            user_id: ada.clone(),
            scope_project,
            issued_by_methods,
            issued_at,
            expires_at,
            origin: TokenOrigin::Api,
        };
        store.identities().insert_token(&token).await.unwrap();
    }
    assert!(store.identities().revoke_token(&origin(), &TOKENS[1]).await.unwrap());
    ada
}

fn claim() -> TaskClaimRequest {
    TaskClaimRequest {
        worker: "the worker of the fixture".into(),
        lease: Duration::from_secs(10),
        max_per_node: 9,
        excluded_nodes: vec![],
        max_tasks: 1,
    }
}

async fn fill_tasks(store: &Store, initial_ids: &InitialTenantIds) {
    let limitation =
        json!({ "kind": "no_kill", "what": "Clew cannot kill.", "why": "A privilege is missing.", "remedy": null });
    let finished = CollectionTaskOutcome::Finished {
        result_name: "a result.csv".into(),
        rows: 3,
        bytes: 42,
        sha256: "ab".repeat(32),
        limitations: serde_json::from_value(json!([limitation])).unwrap(),
    };
    let failed = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
    for (id, outcome) in [(3, Some(failed)), (2, Some(finished)), (1, None)] {
        store.tasks().enqueue_task(&task(initial_ids, TASKS[id]), 9).await.unwrap();
        let claimed = store.tasks().claim_tasks(claim()).await.unwrap().tasks.remove(0);
        if let Some(outcome) = outcome {
            assert!(
                store.tasks().complete_task(&claimed.task.request.request_id, claimed.fence, &outcome).await.unwrap()
            );
        }
    }
    store.tasks().enqueue_task(&task(initial_ids, TASKS[0]), 9).await.unwrap();
}

fn task(initial_ids: &InitialTenantIds, id: &str) -> NewSessionCollectionTask {
    NewSessionCollectionTask {
        request_id: id.parse().unwrap(),
        project_id: initial_ids.project_id.clone(),
        instance_id: INSTANCE.parse().unwrap(),
        node_id: NODES[0].parse().unwrap(),
        selection: SessionSelection { user: Some("app".into()), ..SessionSelection::default() },
        masked: true,
    }
}

fn kill(initial_ids: &InitialTenantIds, session_id: u64) -> NewKillRecord {
    NewKillRecord {
        project_id: initial_ids.project_id.clone(),
        instance_id: INSTANCE.parse().unwrap(),
        node_id: NODES[0].parse().unwrap(),
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

async fn fill_kills(store: &Store, initial_ids: &InitialTenantIds, ada: &UserId) {
    let kill = |session_id| kill(initial_ids, session_id);
    let ids = store.kills().insert_kill_records(&[kill(7), kill(8)]).await.unwrap();
    store
        .kills()
        .record_kill_outcomes(&origin(), &[(ids[0], RecordedKillOutcome::Killed, String::new())])
        .await
        .unwrap();
    let actor = Actor::User { id: ada.clone(), name: "ada".into(), domain_id: initial_ids.domain_id.clone() };
    let intelligent = IntelligentKillRequest {
        by: AuditOrigin { actor, peer: Some([192, 0, 2, 7].into()), request_id: "a request".into() },
        project_id: initial_ids.project_id.clone(),
        instance_id: INSTANCE.parse().unwrap(),
        node_id: NODES[0].parse().unwrap(),
    };
    let id = store.kills().insert_intelligent_kill(&intelligent, 9).await.unwrap();
    let minute = Duration::from_mins(1);
    assert_eq!(store.kills().claim_intelligent_kill(minute, minute).await.unwrap().unwrap().id, id);
    assert!(store.kills().finish_intelligent_kill(id, Some("no node"), 0).await.unwrap());
    store.kills().insert_intelligent_kill(&intelligent, 9).await.unwrap();
}

/// Verifies the rows without changing them.
pub(crate) async fn verify(store: &Store) {
    let domain = store.tenants().list_domains().await.unwrap().remove(0);
    let project = store.tenants().list_all_projects().await.unwrap().remove(0);
    assert_eq!((store.region(), &*domain.name, &*project.name), ("here-1", "acme", "here-1"));
    let users = store.identities().list_users(&domain.id).await.unwrap();
    let known: Vec<_> = users.iter().map(|user| (&*user.name, user.administrator, &*user.description)).collect();
    assert_eq!(known, [("ada", false, "Ünï"), ("admin", true, "")]);
    let ada = &users[0];
    assert_eq!(ada.password_hash, "$argon2id$ada");
    let key = |id: &str| id.parse::<AccessKeyId>().unwrap();
    let permanent = store.identities().find_access_key(&key("AKTEST00000000000000")).await.unwrap().unwrap();
    assert_eq!(permanent.secret.expose_secret(), "the-secret-key-of-the-first-access-key");
    let temporary = store.identities().find_access_key(&key(TEMPORARY_KEY)).await.unwrap().unwrap();
    assert_eq!(temporary.secret.expose_secret(), "secret of the temporary key");
    assert_eq!(temporary.temporary.unwrap().token_hash, [7; 32]);
    let tokens = [
        store.identities().find_token(&TOKENS[0]).await.unwrap().unwrap(),
        store.identities().find_token(&TOKENS[1]).await.unwrap().unwrap(),
    ];
    assert_eq!(tokens.each_ref().map(|token| token.revoked), [false, true]);
    assert_eq!((&tokens[0].scope_project, &tokens[1].scope_project), (&None, &Some(project.id.clone())));
    let group = store.identities().list_groups(&domain.id).await.unwrap().remove(0);
    assert_eq!((&*group.name, &*group.description), ("dbas", "on call"));
    assert_eq!(store.identities().list_group_members(&group.id).await.unwrap()[0].id, ada.id);
    let policy = store.policies().find_policy_by_name(&domain.id, "look").await.unwrap().unwrap();
    assert_eq!((&*policy.document, &*policy.description), (DOCUMENT, "only look"));
    assert_eq!(store.policies().list_user_policy_grants(&ada.id).await.unwrap().len(), 2);
    let enterprise: Vec<_> = store.tenants().list_enterprise_projects(&domain.id).await.unwrap();
    assert_eq!(enterprise.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["default", "retail"]);

    let (instances, count) =
        store.instances().list_instances(&project.id, &InstanceFilter::default(), ALL_ROWS).await.unwrap();
    let instance = &instances[0];
    assert_eq!((count, instance.id.as_str(), &*instance.name), (1, INSTANCE, "shop"));
    assert_eq!((instance.tags[0].key.as_str(), instance.tags[0].value.as_str()), ("env", "prod"));
    assert_eq!(instance.enterprise_project_id, enterprise[1].id);
    for (at, (role, address, password)) in
        [(NodeRole::Master, "10.0.0.5:3306", "first password"), (NodeRole::Slave, "10.0.0.6:3307", "second")]
            .into_iter()
            .enumerate()
    {
        let node = store.instances().find_node_with_password(&NODES[at].parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((node.role, &*node.url.address()), (role, address));
        assert_eq!(node.url.password.unwrap().expose_secret(), password);
    }
    assert_eq!(
        store.instances().find_slow_session_threshold(&instance.id).await.unwrap(),
        SlowSessionThreshold::new(7)
    );
    verify_tasks_and_kills(store).await;
    assert!(store.lockouts().find_lockout_end("user:unknown").await.is_ok());
    let audit = store.audit().verify_audit_log(&[]).await.unwrap();
    assert!(audit.is_intact() && audit.rows > 10, "{audit:?}");
}

async fn verify_tasks_and_kills(store: &Store) {
    let instance = INSTANCE.parse().unwrap();
    let statuses = [
        CollectionTaskStatus::Queued,
        CollectionTaskStatus::Running,
        CollectionTaskStatus::Finished,
        CollectionTaskStatus::Error,
    ];
    for (id, status) in TASKS.into_iter().zip(statuses) {
        let task = store.tasks().find_task(&id.parse::<RequestId>().unwrap()).await.unwrap().unwrap();
        assert_eq!(
            (task.status, task.request.masked, task.request.selection.user.as_deref()),
            (status, true, Some("app")),
            "{id}"
        );
        match status {
            CollectionTaskStatus::Finished => assert_eq!(task.result.unwrap().name, "a result.csv"),
            CollectionTaskStatus::Error => assert_eq!(task.failure.unwrap().kind, FailureKind::TimedOut),
            _ => assert_eq!((task.result, task.failure), (None, None)),
        }
    }
    let counts = store.tasks().count_tasks_by_status().await.unwrap();
    assert_eq!(counts, statuses.map(|status| (status, 1)).to_vec());
    assert!(store.kill_tasks().are_kill_tasks_enabled(&instance).await.unwrap());
    let kill_task = store.kill_tasks().list_kill_tasks(&instance).await.unwrap().remove(0);
    assert_eq!((kill_task.masked, kill_task.criteria.user.as_deref()), (true, Some("app")));
    let (killed, count) = store.kills().list_kills(&KillFilter::for_instance(instance), ALL_ROWS).await.unwrap();
    let outcomes: Vec<_> = killed.iter().map(|kill| (kill.request.session_id, kill.outcome)).collect();
    assert_eq!((count, outcomes), (2, vec![(8, None), (7, Some(RecordedKillOutcome::Killed))]));
    let node_id = NODES[0].parse().unwrap();
    let ended = IntelligentKillFilter { instance_id: INSTANCE.parse().unwrap(), node_id, from: 0, to: i64::MAX };
    let (intelligent, count) = store.kills().list_intelligent_kills(&ended, ALL_ROWS).await.unwrap();
    assert_eq!((count, intelligent[0].reason.as_deref()), (1, Some("no node")));
    assert_eq!(intelligent[0].request.by.actor.name(), "ada");
}

/// Verifies that the store is usable: claims and completes a task, creates rows and appends to the audit log.
pub(crate) async fn use_after_restore(store: &Store) {
    let domain = store.tenants().list_domains().await.unwrap().remove(0);
    let project = store.tenants().list_all_projects().await.unwrap().remove(0);
    let admin = store.identities().find_user_by_name("acme", "admin").await.unwrap().unwrap();
    let initial_ids = InitialTenantIds { domain_id: domain.id.clone(), project_id: project.id, user_id: admin.id };
    let claimed = store.tasks().claim_tasks(claim()).await.unwrap().tasks.remove(0);
    let failed = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
    assert!(store.tasks().complete_task(&claimed.task.request.request_id, claimed.fence, &failed).await.unwrap());
    store
        .tasks()
        .enqueue_task(&task(&initial_ids, "realtime_session-00000000-0000-4000-8000-000000000004-98e4"), 9)
        .await
        .unwrap();
    let ids = store.kills().insert_kill_records(&[kill(&initial_ids, 9)]).await.unwrap();
    store
        .kills()
        .record_kill_outcomes(&origin(), &[(ids[0], RecordedKillOutcome::Killed, String::new())])
        .await
        .unwrap();
    let (killed, count) =
        store.kills().list_kills(&KillFilter::for_instance(INSTANCE.parse().unwrap()), ALL_ROWS).await.unwrap();
    assert_eq!((count, killed[0].request.session_id), (3, 9));
    let before = store.open_cached_view().await.unwrap().access_control_version();
    store.identities().create_group(&origin(), &domain.id, "new", "").await.unwrap();
    let group = store
        .identities()
        .list_groups(&domain.id)
        .await
        .unwrap()
        .into_iter()
        .find(|group| group.name == "new")
        .unwrap();
    assert!(store.identities().remove_group(&origin(), &group.id).await.unwrap());
    assert!(
        store.open_cached_view().await.unwrap().access_control_version() > before,
        "the removal must increase the version"
    );
    assert!(store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
}
